// Drawings are made element by element, so that no text from elsewhere is read as markup.

const NAMESPACE = "http://www.w3.org/2000/svg";

/** Make an element of a drawing. */
export function svg(
  tag: string,
  attributes: Record<string, string | number> = {},
  ...children: Node[]
): SVGElement {
  const element = document.createElementNS(NAMESPACE, tag) as SVGElement;
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, String(value));
  element.append(...children);
  return element;
}
