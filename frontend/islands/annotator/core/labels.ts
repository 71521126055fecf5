export const BACKGROUND = 0;
/** The labels in a mask are 1 to this; what they are called comes from the server. */
export const LABEL_COUNT = 6;
