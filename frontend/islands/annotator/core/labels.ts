/** The numbers in a mask; what they are called comes from the server. */
export const LABEL = {
  parenchymal: 1,
  intraventricular: 2,
  edema: 3,
  subarachnoid: 4,
  subdural: 5,
  extradural: 6,
} as const;

export const BACKGROUND = 0;
export const LABEL_COUNT = 6;
