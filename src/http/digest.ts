/** SHA-256 of texts and bytes, as it is written down. */

const digest = async (content: string | ArrayBuffer): Promise<Uint8Array> =>
  new Uint8Array(
    await crypto.subtle.digest("SHA-256", typeof content === "string" ? new TextEncoder().encode(content) : content),
  );

/** 64 lower-case hex digits. */
export async function sha256Hex(content: string | ArrayBuffer): Promise<string> {
  return Array.from(await digest(content), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** In base64, as a content security policy takes it. */
export async function sha256Base64(text: string): Promise<string> {
  return btoa(String.fromCharCode(...(await digest(text))));
}
