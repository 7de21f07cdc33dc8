// Weights of one's own: which puzzle a network reads is told by its sizes.

import { boxOf } from "./sudoku.js";
import { open } from "./thinker.js";

const MOST_CELLS = 225; // that are large enough to be clicked

/** Opened files by name: {buffer}. */
export const own = {};

/** Open a file; returns the desk that it fits, with the desk itself where it is a new one. */
export async function openFile(name, file, desks) {
  const buffer = await file.arrayBuffer();
  const about = await open(name, { buffer });
  own[name] = { buffer };
  const deskName = deskOf(about), [puzzle, side] = deskName.split("-");
  const isNew = !(deskName in desks);
  const lead = `${about.parameters.toLocaleString("en")} parameters of your own change their mind.`;
  const desk = { tab: `${puzzle === "maze" ? "Maze" : "Sudoku"} ${side}×${side}`, puzzle, side: Number(side), steps: 16, grade: 0, lead, networks: {} };
  return { deskName, about, desk: isNew ? desk : null };
}

function deskOf({ puzzle, vocabulary: V, cells, puzzles }) {
  const side = Math.sqrt(cells); // older files do not name their puzzle, so the sizes have to tell
  if (puzzle && !/^(sudoku|maze|arc)-/.test(puzzle)) throw new Error(`This page does not know the puzzle “${puzzle}” of this network; look at it in the notebooks.`);
  if (cells > MOST_CELLS) throw new Error(`This network reads boards of ${cells} cells, which are too many to click on; choose a smaller one.`);
  if (boxOf(side) && V === side + 2) return `sudoku-${side}`;
  if (V === 6 && Number.isInteger(side)) return `maze-${side}`;
  if (V === 12 && cells === 36) {
    if (puzzles === 945) return "arc-6";
    throw new Error("This network learned other ARC tasks than those on this page, so it does not know their identifiers; choose one of the preset mini-arc.");
  }
  throw new Error(`A network of ${V} tokens on ${cells} cells reads no puzzle known here; choose one for Sudoku, mazes or mini-ARC.`);
}
