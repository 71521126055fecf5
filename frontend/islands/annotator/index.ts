import { mountIslands } from "../mount";
import { start } from "./view/start";

mountIslands("annotator", (root) => void start(root));
