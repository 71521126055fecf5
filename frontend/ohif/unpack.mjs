// Fetches the built OHIF viewer and unpacks what a head CT needs of it into dist/, which the site serves from its root.
// Its npm package names dependencies that the built viewer does not load, so the tarball is taken alone.
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { gzipSync } from "node:zlib";

const PACKAGE = "@ohif/app@3.12.10";
const SHA512 = "0kuF66Mq9c9dMD++bUsTjMrJpXJwaZhz9B4uS244DawAjSkTwIYFU93pxPuRUQixaRi7QAHlF3Fe1qudBlZrmA==";
const DIST = `${import.meta.dirname}/dist`;

// The page, its settings and its worker for offline use are ours or not wanted; the rest signs in at other hosts or
// serves browsers that cannot run the viewer.
const LEFT_OUT = new Set([
  "app-config.js",
  "es6-shim.min.js",
  "google.js",
  "init-service-worker.js",
  "oidc-client.min.js",
  "polyfill.min.js",
  "sw.js",
]);
const KEPT = /\.(js|css|wasm|woff2)$/;
const PACKED = /\.(js|css|wasm)$/;

function fetchTarball(folder) {
  execFileSync("npm", ["pack", "--silent", "--pack-destination", folder, PACKAGE], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  const tarball = `${folder}/${readdirSync(folder).find((name) => name.endsWith(".tgz"))}`;
  const found = createHash("sha512").update(readFileSync(tarball)).digest("base64");
  if (found !== SHA512) throw new Error(`${PACKAGE} is not the package that was tried: its SHA-512 is ${found}.`);
  return tarball;
}

/** Lays the files where the site serves them, each with a gzipped copy beside it for browsers that take it. */
function lay(built) {
  for (const name of readdirSync(built)) {
    if (!KEPT.test(name) || LEFT_OUT.has(name)) continue;
    const content = readFileSync(`${built}/${name}`);
    writeFileSync(`${DIST}/${name}`, content);
    if (PACKED.test(name)) writeFileSync(`${DIST}/${name}.gz`, gzipSync(content, { level: 9 }));
  }
  cpSync(`${built}/assets/images`, `${DIST}/assets/images`, { recursive: true });
}

/** Writes the names that the page needs and that change with every version. */
function describe() {
  const script = readdirSync(DIST).find((name) => /^app\.bundle\.[0-9a-f]+\.js$/.test(name));
  writeFileSync(`${DIST}/ohif.json`, `${JSON.stringify({ package: PACKAGE, script, style: "app.bundle.css" })}\n`);
}

const folder = mkdtempSync(`${tmpdir()}/ohif-`);
try {
  execFileSync("tar", ["-xzf", fetchTarball(folder), "-C", folder]);
  rmSync(DIST, { recursive: true, force: true });
  mkdirSync(DIST, { recursive: true });
  lay(`${folder}/package/dist`);
  cpSync(`${folder}/package/LICENSE`, `${DIST}/ohif-license.txt`);
  describe();
} finally {
  rmSync(folder, { recursive: true, force: true });
}
