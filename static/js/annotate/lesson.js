// Training: once an answer is at the server, what was right is shown over the task; any key that closes it goes on.

/** @param screen  the annotation screen, whose answer to `task` was just kept */
export async function learn(screen, task) {
  const turn = ++screen.turn;
  screen.leaving = true;
  screen.stage.ariaBusy = "true";
  await screen.journal.settled(task);
  const dialog = await screen.supply.fetchTask(task, "lesson/").catch(() => null);
  if (turn !== screen.turn) return;
  if (!dialog) return screen.advance();
  const close = () => {
    dialog.remove();
    if (turn === screen.turn) screen.advance();
  };
  dialog.addEventListener("close", close, { once: true });
  screen.stage.ariaBusy = "false"; // the texts are read once more beside it
  document.body.append(dialog);
  dialog.showModal();
}
