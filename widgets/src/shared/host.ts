// Who answers a page: a notebook's kernel, or the server of the dashboard, whose people have no
// kernel to restart and type no commands.

/** The dashboard says so on the page itself. */
const isServed = (): boolean => globalThis.document?.documentElement.dataset.host === "dashboard";

/** The words for a notebook, or those for the dashboard; asked each time they are shown. */
export const hosted = (notebook: string, dashboard: string): string =>
  isServed() ? dashboard : notebook;
