/** What of a form's field tells whether a person has changed it since the page was loaded. */
export interface FieldState {
  type: string;
  value: string;
  defaultValue?: string;
  checked?: boolean;
  defaultChecked?: boolean;
  options?: Iterable<{ selected: boolean; defaultSelected: boolean }>;
}

/** Whether a field holds something typed or chosen that has not been sent yet. */
export function isChanged(field: FieldState): boolean {
  if (field.type === "hidden") return false;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options) return isReselected([...field.options]);
  return field.value !== (field.defaultValue ?? "");
}

/** A drop-down list without a chosen option in its source shows the first one. */
function isReselected(options: { selected: boolean; defaultSelected: boolean }[]): boolean {
  if (!options.some((option) => option.defaultSelected)) return options.findIndex((option) => option.selected) > 0;
  return options.some((option) => option.selected !== option.defaultSelected);
}
