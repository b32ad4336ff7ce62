// What the bar above the images and the line under them say of the present state, and what the bar's buttons do.

import { during } from "../dom/busy";
import type { Commands } from "./commands";
import type { BarActions, BarState } from "./panels/topbar";
import type { ReadingScreen } from "./screen";
import type { Side } from "./side";
import { mm } from "./words";

/** The line under an image: the tool, and what it does. */
export function hintOf(commands: Commands, side: Side): string {
  const { tools, stage } = commands;
  if (side.name === "left") return stage.linked ? "wheel: both sides - Alt wheel: this side only" : "not linked";
  const size = `${mm(tools.radius_mm)} mm [ ]`;
  const said: Readonly<Record<string, string>> = {
    look: "S segment - C caliper - B brush - H all keys",
    segment: `segment: ${tools.prompt === "point" ? "click" : tools.prompt} (S: next kind)`,
    brush: `brush ${size}`,
    erase: `erase ${size}`,
    caliper: `caliper: ${tools.axis} axis (C: the other)`,
    window: "drag or arrows: window",
    pan: "drag or arrows: move",
  };
  return said[tools.tool] ?? "";
}

export function barState(screen: ReadingScreen): BarState {
  const { stage } = screen;
  const { imagery } = screen.commands;
  return {
    modality: imagery.modality,
    modalities: imagery.modalities,
    windows: screen.windows(),
    link: imagery.linkState(),
    fusion: { on: stage.fused, opacity: stage.opacity, text: imagery.fusionText, warning: imagery.fusionWarning },
    mpr: stage.right.mpr,
    compare: stage.left.timepoint,
    seconds: screen.seconds,
  };
}

export function barActions(screen: ReadingScreen): BarActions {
  const { stage, model, commands } = screen;
  const { imagery } = commands;
  return {
    run: (command) => void commands.run(command),
    modality: (name) => void during(imagery.showModality(name)).then(() => screen.renderStage()),
    compare: (timepoint) => void during(imagery.showTimepoint(timepoint)).then(() => screen.renderStage()),
    opacity: (value) => {
      stage.opacity = value;
      for (const side of stage.sides) side.main.setFusedOpacity(value);
    },
    leave: screen.leave,
    retry: () => model.retry(),
  };
}
