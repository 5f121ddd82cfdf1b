// The words in which two rendered responses differ, drawn by the CSS Custom Highlight API: nothing in the
// page's structure changes, so selections and offsets stay what they are.

const NAME = "differing-words";
const MOST = 6000; // words; beyond that the comparison would be felt

export const supported = "highlights" in CSS;

/** Draw or clear; returns whether the differences are shown now. */
export function show(on, bodies) {
  if (!supported) return false;
  CSS.highlights.delete(NAME);
  if (!on || bodies.length !== 2) return false;
  const [left, right] = bodies.map(words);
  if (left.length > MOST || right.length > MOST) return false;
  const [onlyLeft, onlyRight] = differing(
    left.map((word) => word.text),
    right.map((word) => word.text),
  );
  const ranges = [...onlyLeft.map((n) => left[n].range), ...onlyRight.map((n) => right[n].range)];
  CSS.highlights.set(NAME, new Highlight(...ranges));
  return true;
}

/** The words of an element, each with its range. */
function words(root) {
  const walker = document.createTreeWalker(root, NodeFilter.SHOW_TEXT);
  const found = [];
  while (walker.nextNode()) {
    const node = walker.currentNode;
    for (const match of node.data.matchAll(/[\p{L}\p{N}\p{M}_]+|[^\s\p{L}\p{N}\p{M}_]/gu)) {
      const range = new StaticRange({
        startContainer: node,
        startOffset: match.index,
        endContainer: node,
        endOffset: match.index + match[0].length,
      });
      found.push({ text: match[0], range });
    }
  }
  return found;
}

/**
 * Indexes of the entries of `a` and of `b` that are not in their longest common subsequence: Myers' greedy
 * algorithm (An O(ND) Difference Algorithm and Its Variations, 1986), after equal ends are cut off.
 */
export function differing(a, b) {
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let endA = a.length;
  let endB = b.length;
  while (endA > start && endB > start && a[endA - 1] === b[endB - 1]) {
    endA--;
    endB--;
  }
  const [insideA, insideB] = myers(a.slice(start, endA), b.slice(start, endB));
  return [insideA.map((n) => n + start), insideB.map((n) => n + start)];
}

function myers(a, b) {
  const most = a.length + b.length;
  let reach = new Map([[1, 0]]);
  const trace = [];
  for (let d = 0; d <= most; d++) {
    trace.push(new Map(reach));
    for (let k = -d; k <= d; k += 2) {
      const down = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
      let x = down ? reach.get(k + 1) : reach.get(k - 1) + 1;
      let y = x - k;
      while (x < a.length && y < b.length && a[x] === b[y]) {
        x++;
        y++;
      }
      reach.set(k, x);
      if (x >= a.length && y >= b.length) return walkBack(trace, a.length, b.length);
    }
    if (d > 1500) return [[...a.keys()], [...b.keys()]]; // nothing in common worth drawing
  }
  return [[], []];
}

function walkBack(trace, lengthA, lengthB) {
  const onlyA = [];
  const onlyB = [];
  let x = lengthA;
  let y = lengthB;
  for (let d = trace.length - 1; d > 0; d--) {
    const reach = trace[d];
    const k = x - y;
    const down = k === -d || (k !== d && (reach.get(k - 1) ?? -1) < (reach.get(k + 1) ?? -1));
    const before = down ? k + 1 : k - 1;
    const beforeX = reach.get(before);
    const beforeY = beforeX - before;
    if (down) onlyB.push(beforeY);
    else onlyA.push(beforeX);
    x = beforeX;
    y = beforeY;
  }
  return [onlyA.reverse(), onlyB.reverse()];
}
