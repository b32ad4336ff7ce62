// Relative addresses (base './'), so that the page works behind any path of a reverse proxy; nothing is fetched from elsewhere.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  worker: { format: "es" },
  build: { target: "es2022", outDir: "dist", emptyOutDir: true, sourcemap: false, chunkSizeWarningLimit: 6000 },
});
