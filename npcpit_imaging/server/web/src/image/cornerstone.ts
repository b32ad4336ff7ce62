// Joins our views to Cornerstone3D: an image loader and the metadata it asks for. Stack viewports only (legacy API).

import { cache, getRenderingCapabilities, init, imageLoader, metaData, RenderingEngine, setUseCPURendering, utilities, getRenderingEngine, Enums, type Types } from "@cornerstonejs/core";
import { toWorld } from "./grid";
import { add, scale, type Vec3 } from "./vector";
import type { View } from "./view";
import type { Voxels } from "./volume";

const SCHEME = "npcpit";
const ENGINE = "npcpit";

const views = new Map<string, View>();
let ready: { readonly webgl: boolean } | null = null;
let byProcessor = false;

/**
 * Start Cornerstone once; tells whether WebGL is there. Without it, or where the browser only imitates a graphics card,
 * the processor draws the planes itself: that is several times faster than an imitated WebGL. `?draw=webgl` in the
 * page's address keeps WebGL.
 */
export function startImaging(): { readonly webgl: boolean } {
  if (ready !== null) return ready;
  const { webgl, softwareRasterizer } = getRenderingCapabilities();
  const kept = new URLSearchParams(window.location.search).get("draw") === "webgl";
  byProcessor = !webgl || (softwareRasterizer && !kept);
  init();
  setUseCPURendering(byProcessor);
  imageLoader.registerImageLoader(SCHEME, load);
  metaData.addProvider(describe, 10_000);
  ready = { webgl };
  return ready;
}

/** What Cornerstone takes a point of a view for: drawn by the processor, its whole numbers are voxels' corners, ours centres. */
export function drawnOffset(view: View): Vec3 {
  if (!byProcessor) return [0, 0, 0];
  const [column, row] = view.grid.axes;
  return add(scale(column, view.grid.spacing_mm[0] / 2), scale(row, view.grid.spacing_mm[1] / 2));
}

export function engine(): NonNullable<ReturnType<typeof getRenderingEngine>> {
  return getRenderingEngine(ENGINE) ?? new RenderingEngine(ENGINE);
}

const imageIdOf = (view: View, n: number): string => `${SCHEME}:${view.id}#${n}`;

export function imageIdsOf(view: View): string[] {
  views.set(view.id, view);
  return Array.from({ length: view.grid.size[2] }, (_, n) => imageIdOf(view, n));
}

const prepared = new Map<string, Voxels>();

/** Have a plane at hand before Cornerstone asks for it: whoever wants it learns why it did not come, which Cornerstone would not say. */
export async function prepare(view: View, n: number): Promise<string> {
  const imageId = imageIdOf(view, n);
  if (!cache.isLoaded(imageId)) prepared.set(imageId, await view.plane(n));
  return imageId;
}

function parse(imageId: string): { view: View; n: number } | null {
  if (!imageId.startsWith(`${SCHEME}:`)) return null;
  const [id = "", n = ""] = imageId.slice(SCHEME.length + 1).split("#");
  const view = views.get(id);
  return view === undefined ? null : { view, n: Number(n) };
}

function load(imageId: string): { promise: Promise<Types.IImage> } {
  const found = parse(imageId);
  if (found === null) return { promise: Promise.reject(new Error(`no image ${imageId}`)) };
  const { view, n } = found;
  const voxels = prepared.get(imageId);
  prepared.delete(imageId);
  const plane = voxels === undefined ? view.plane(n) : Promise.resolve(voxels);
  return { promise: plane.then((here) => imageOf(imageId, view, here)) };
}

function imageOf(imageId: string, view: View, voxels: Voxels): Types.IImage {
  const [columns, rows] = view.grid.size;
  const [low, high] = view.source.geometry.value_range;
  const image = {
    imageId,
    minPixelValue: low,
    maxPixelValue: high,
    slope: 1,
    intercept: 0,
    windowCenter: (low + high) / 2,
    windowWidth: high - low,
    voiLUTFunction: Enums.VOILUTFunctionType.LINEAR,
    getPixelData: () => voxels,
    rows,
    columns,
    height: rows,
    width: columns,
    color: false,
    rgba: false,
    numberOfComponents: 1,
    columnPixelSpacing: view.grid.spacing_mm[0],
    rowPixelSpacing: view.grid.spacing_mm[1],
    sliceThickness: view.grid.spacing_mm[2],
    invert: false,
    photometricInterpretation: "MONOCHROME2",
    sizeInBytes: voxels.byteLength,
    isPreScaled: true,
    FrameOfReferenceUID: view.source.geometry.frame_of_reference_uid ?? view.source.uid,
    dataType: voxels instanceof Int16Array ? "Int16Array" : "Float32Array",
    voxelManager: utilities.VoxelManager.createImageVoxelManager({ width: columns, height: rows, numberOfComponents: 1, scalarData: voxels }),
  };
  return image as unknown as Types.IImage;
}

function describe(type: string, imageId: unknown): unknown {
  const found = typeof imageId === "string" ? parse(imageId) : null;
  if (found === null) return undefined;
  const { view, n } = found;
  if (type === "imagePlaneModule") return planeModule(view, n);
  if (type === "imagePixelModule") {
    const whole = view.source.voxels instanceof Int16Array;
    const bits = whole ? 16 : 32;
    return { bitsAllocated: bits, bitsStored: bits, highBit: bits - 1, samplesPerPixel: 1, pixelRepresentation: 1, photometricInterpretation: "MONOCHROME2" };
  }
  if (type === "generalSeriesModule") return { modality: drawnAs(view), seriesInstanceUID: view.source.uid };
  if (type === "modalityLutModule") return { rescaleSlope: 1, rescaleIntercept: 0 };
  if (type === "voiLutModule") return {};
  return undefined;
}

/** Drawn by the processor, only a PET may hold fractions: other modalities are looked up in a table by whole values. */
function drawnAs(view: View): string {
  return byProcessor && view.source.voxels instanceof Float32Array ? "PT" : view.source.geometry.modality;
}

function planeModule(view: View, n: number): object {
  const [row, column] = view.grid.axes;
  return {
    frameOfReferenceUID: view.source.geometry.frame_of_reference_uid ?? view.source.uid,
    rows: view.grid.size[1],
    columns: view.grid.size[0],
    imageOrientationPatient: [...row, ...column],
    rowCosines: [...row],
    columnCosines: [...column],
    imagePositionPatient: [...toWorld(view.grid, [0, 0, n])],
    sliceThickness: view.grid.spacing_mm[2],
    sliceLocation: scale([n, 0, 0], view.grid.spacing_mm[2])[0],
    pixelSpacing: [view.grid.spacing_mm[1], view.grid.spacing_mm[0]],
    rowPixelSpacing: view.grid.spacing_mm[1],
    columnPixelSpacing: view.grid.spacing_mm[0],
    usingDefaultValues: false,
  };
}
