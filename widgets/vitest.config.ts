import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    environment: "jsdom",
    include: ["tests/**/*.test.ts"],
    restoreMocks: true,
    // A machine busy with other tests needs its time; what hangs still fails.
    testTimeout: 60_000,
  },
});
