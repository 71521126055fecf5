// Builds dist/: one self-contained script per island, one stylesheet, one icon sprite, all under fixed names.
// Each entry is its own IIFE: a page loads only what it shows, and nothing is fetched that the page does not name.
import {
  appendFileSync,
  copyFileSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { gzipSync } from "node:zlib";
import { build } from "vite";

const ROOT = import.meta.dirname;
const DIST = `${ROOT}/dist`;
const SCRIPTS = {
  theme: "islands/page/theme.ts",
  ichor: "islands/page/index.ts",
  figures: "islands/figures/index.ts",
  ct: "islands/ct/index.ts",
  explanation: "islands/explanation/index.ts",
  upload: "islands/upload/index.ts",
  ctupload: "islands/ctupload/index.ts",
  annotator: "islands/annotator/index.ts",
  viewer: "ohif/config.js",
};

async function bundle(name, entry) {
  await build({
    root: ROOT,
    configFile: false,
    logLevel: "warn",
    define: { "process.env.NODE_ENV": '"production"' },
    build: {
      outDir: DIST,
      emptyOutDir: false,
      target: "es2022",
      // Tabler's own baseline: light-dark() and relative colors are left as they are.
      cssTarget: ["chrome123", "firefox128", "safari18"],
      copyPublicDir: false,
      chunkSizeWarningLimit: 2000,
      rolldownOptions: {
        input: { [name]: entry },
        // htmx can evaluate hx-on and filters; ours is told not to (allowEval), and the page's policy forbids it.
        checks: { eval: false },
        output: {
          format: name === "style" ? "es" : "iife",
          entryFileNames: `${name}.js`,
          assetFileNames: "ichor[extname]",
        },
      },
    },
  });
}

function sprite() {
  const files = readdirSync(`${ROOT}/icons`).filter((file) => file.endsWith(".svg"));
  const symbols = files.map((file) => {
    const text = readFileSync(`${ROOT}/icons/${file}`, "utf8");
    const inner = text.replace(/<!--[\s\S]*?-->/g, "").match(/<svg[^>]*>([\s\S]*)<\/svg>/)[1];
    const drawn = inner.replace(/\s+/g, " ").trim();
    return `<symbol id="${file.replace(".svg", "")}" viewBox="0 0 24 24">${drawn}</symbol>`;
  });
  writeFileSync(`${DIST}/icons.svg`, `<svg xmlns="http://www.w3.org/2000/svg">${symbols.join("")}</svg>\n`);
}

/** The series colors as CSS variables, from the file that Python's figures read too. */
function palette() {
  const { light, dark } = JSON.parse(readFileSync(`${ROOT}/palette.json`, "utf8"));
  const rule = (selector, colors) =>
    `${selector}{${Object.entries(colors)
      .map(([name, color]) => `--series-${name}:${color}`)
      .join(";")}}`;
  appendFileSync(`${DIST}/ichor.css`, `${rule(":root", light)}${rule("[data-bs-theme=dark]", dark)}\n`);
}

function report() {
  for (const file of readdirSync(DIST).sort()) {
    const size = statSync(`${DIST}/${file}`).size / 1000;
    const packed = gzipSync(readFileSync(`${DIST}/${file}`)).length / 1000;
    console.log(`${file.padEnd(14)} ${size.toFixed(1).padStart(8)} kB  ${packed.toFixed(1).padStart(7)} kB gzip`);
  }
}

rmSync(DIST, { recursive: true, force: true });
mkdirSync(DIST);
for (const [name, entry] of Object.entries(SCRIPTS)) await bundle(name, entry);
await bundle("style", "styles/ichor.css");
rmSync(`${DIST}/style.js`, { force: true });
palette();
sprite();
copyFileSync(`${ROOT}/styles/favicon.svg`, `${DIST}/favicon.svg`);
report();
