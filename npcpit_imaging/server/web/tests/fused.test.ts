import { describe, expect, it } from "vitest";
import { coloured, HEAT } from "../src/image/fused";

describe("the colours of an image that is laid over another", () => {
  const colourOf = (value: number): number[] => {
    const into = new Uint8ClampedArray(4);
    coloured(Float32Array.of(value), 10, into);
    return [...into];
  };

  it("adds nothing where there is no uptake, or no number", () => {
    for (const value of [0, -3, Number.NaN]) expect(colourOf(value)).toEqual([0, 0, 0, 255]);
  });

  it("is red at 3.5, yellow at 7 and nearly white at 10 and above, of 10", () => {
    const [dark = 0, ...rest] = colourOf(3.5); // the nearest of 256 steps
    expect(Math.abs(dark - 217)).toBeLessThanOrEqual(1);
    expect(rest).toEqual([26, 0, 255]);
    const [red = 0, green = 0, blue = 0] = colourOf(7);
    expect(red).toBeGreaterThanOrEqual(254);
    expect(Math.abs(green - 191)).toBeLessThanOrEqual(1);
    expect(blue).toBeLessThan(16);
    expect(colourOf(10)).toEqual([255, 255, 217, 255]);
    expect(colourOf(1000)).toEqual(colourOf(10));
  });

  it("grows brighter with every step", () => {
    const brightness = Array.from({ length: 256 }, (_, n) => (HEAT[3 * n] ?? 0) + (HEAT[3 * n + 1] ?? 0) + (HEAT[3 * n + 2] ?? 0));
    for (let n = 1; n < 256; n++) expect(brightness[n] ?? 0).toBeGreaterThanOrEqual(brightness[n - 1] ?? 0);
  });
});
