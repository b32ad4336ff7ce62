// Says on the page whether something is under way: the pointer shows it, and whoever works the page by program waits for it.

let many = 0;

/** Count a piece of work as under way until it has ended. */
export async function during<T>(work: Promise<T>): Promise<T> {
  count(1);
  try {
    return await work;
  } finally {
    count(-1);
  }
}

function count(by: 1 | -1): void {
  many += by;
  document.documentElement.dataset["busy"] = String(many > 0);
}
