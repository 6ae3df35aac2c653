/** Where the admin API is. Apart, because the dashboard takes nothing that needs a schema. */
export const API_BASE = "/_weir/api/v1";
