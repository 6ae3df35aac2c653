/** Who may know whom: docs/ARCHITECTURE.md, "Rooms". Checked by test/architecture.test.ts, which first proves itself. */
const room = (name) => `^src/${name}/`;

/** A room may import itself, the rooms and files named here, and npm packages where `npm` says so. */
const rooms = {
  "policy/kernel": { rooms: [], npm: false },
  protocol: { rooms: ["policy", "config"], npm: false },
  config: { rooms: ["policy", "http"], npm: true },
  http: { rooms: [], npm: true },
  platform: { rooms: ["policy", "protocol"], npm: false },
  edge: { rooms: ["policy", "protocol", "config", "http", "platform", "coordinators"], npm: true },
  coordinators: { rooms: ["policy", "protocol", "config", "http", "platform"], npm: false },
  hono: { rooms: ["policy", "protocol", "config", "platform", "edge"], files: ["front"], npm: true },
  admin: { rooms: ["policy", "protocol", "config", "http", "platform", "edge", "coordinators"], npm: true },
};

const roomRules = Object.entries(rooms).flatMap(([name, may]) => [
  {
    name: `${name.replace("/", "-")}-knows-only`,
    comment: `src/${name} may import: ${[...may.rooms, "itself"].join(", ")}`,
    severity: "error",
    from: { path: room(name) },
    to: {
      path: "^(src|cli|ui|local|bench|sim|test|scripts)/",
      pathNot: [room(name), ...may.rooms.map(room), ...(may.files ?? []).map((file) => `^src/${file}\\.ts$`)],
    },
  },
  ...(may.npm
    ? []
    : [
        {
          name: `${name.replace("/", "-")}-without-packages`,
          comment: `src/${name} takes no npm package`,
          severity: "error",
          from: { path: room(name) },
          to: { path: "node_modules" },
        },
      ]),
]);

module.exports = {
  forbidden: [
    {
      name: "no-cycles",
      severity: "error",
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ["type-only"] } },
    },
    ...roomRules,
    {
      name: "policy-knows-only-policy",
      severity: "error",
      from: { path: room("policy") },
      to: { pathNot: [room("policy")] },
    },
    {
      name: "policy-capabilities-share-types-only",
      comment: "a capability may use another capability's types, never its functions",
      severity: "error",
      from: { path: "^src/policy/([^/]+)/", pathNot: room("policy/kernel") },
      to: {
        path: room("policy"),
        pathNot: ["^src/policy/$1/", room("policy/kernel")],
        dependencyTypesNot: ["type-only"],
      },
    },
    {
      name: "coordinators-from-elsewhere-as-types",
      severity: "error",
      from: { path: "^src/(edge|admin|hono)/" },
      to: { path: room("coordinators"), dependencyTypesNot: ["type-only"] },
    },
    {
      name: "one-coordinator-never-imports-another",
      severity: "error",
      from: { path: "^src/coordinators/([^/]+)/" },
      to: { path: "^src/coordinators/[^/]+/", pathNot: "^src/coordinators/$1/", dependencyTypesNot: ["type-only"] },
    },
    {
      name: "cli-knows-the-contract",
      severity: "error",
      from: { path: "^cli/" },
      to: {
        path: "^(src|local|bench|sim|test)/",
        pathNot: ["^src/admin/contract(\\.ts$|/)", room("config"), room("policy/sizing"), "^src/http/"],
      },
    },
    {
      name: "ui-knows-the-contract",
      comment: "the dashboard is static files: what it takes from src is bundled into them",
      severity: "error",
      from: { path: "^ui/" },
      to: { path: "^(src|cli|local|bench|sim|test|scripts)/", pathNot: ["^src/admin/contract(\\.ts$|/)"] },
    },
    {
      name: "src-never-imports-outward",
      severity: "error",
      from: { path: "^src/" },
      to: { path: "^(cli|ui|local|bench|sim|test|scripts)/" },
    },
  ],
  options: {
    parser: "swc",
    tsPreCompilationDeps: true,
    tsConfig: { fileName: "tsconfig.json" },
    doNotFollow: { path: "node_modules" },
    exclude: { path: "^(build|dist)/" },
    enhancedResolveOptions: {
      extensions: [".ts", ".tsx", ".js"],
      exportsFields: ["exports"],
      conditionNames: ["import", "types"],
    },
  },
};
