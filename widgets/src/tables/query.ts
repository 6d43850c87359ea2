// What a person asks of a table, and how each act changes it. No DOM here.

import type { Column, Query } from "./protocol";

/** What a page answered or an event asked, and nothing else. */
export function queryOf(asked: Query): Query {
  const { search, filters, sort, descending, page, page_size } = asked;
  return { search, filters: { ...filters }, sort, descending, page, page_size };
}

/** Whether rows were left out. */
export function isNarrowed(query: Query): boolean {
  return query.search.trim() !== "" || Object.keys(query.filters).length > 0;
}

export function withSearch(query: Query, search: string): Query {
  return { ...query, search, page: 0 };
}

/** An empty key takes the filter away. */
export function withFilter(query: Query, column: string, key: string): Query {
  const { [column]: _, ...others } = query.filters;
  return { ...query, filters: key ? { ...others, [column]: key } : others, page: 0 };
}

export function cleared(query: Query): Query {
  return { ...query, search: "", filters: {}, page: 0 };
}

export function withSort(query: Query, sort: string, descending: boolean): Query {
  return { ...query, sort, descending: sort !== "" && descending, page: 0 };
}

/** A click on a heading: its first direction, the other one, none. */
export function sortedBy(query: Query, column: Column): Query {
  const first = startsDescending(column);
  if (query.sort !== column.name) return withSort(query, column.name, first);
  if (query.descending === first) return withSort(query, column.name, !first);
  return withSort(query, "", false);
}

/** Of times and lengths people look for the latest and the longest, of names for the first. */
function startsDescending(column: Column): boolean {
  return column.kind === "time" || column.kind === "number";
}

export function pageCount(query: Query, total: number): number {
  return Math.max(1, Math.ceil(total / query.page_size));
}

export function withPage(query: Query, page: number, total: number): Query {
  return { ...query, page: Math.min(Math.max(page, 0), pageCount(query, total) - 1) };
}

/** Another number of rows; the first one that was shown stays on the page. */
export function withPageSize(query: Query, size: number): Query {
  return { ...query, page: Math.floor((query.page * query.page_size) / size), page_size: size };
}
