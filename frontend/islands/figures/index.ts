import { mountIslands } from "../mount";
import { startFigure } from "./view/figure";

mountIslands("figure", startFigure);
