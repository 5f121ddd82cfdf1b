# %% [markdown]
# # A preference loop in ten cells
#
# Import pairs, let a critic of your own suggest, answer, freeze a version, load it as your trainer would, and follow
# one training row back to the annotations and the time behind it. Open it in any editor that knows `# %%` cells, or:
#
#     pip install ./client datasets
#     TOUCHSTONE_URL=http://localhost:8000 TOUCHSTONE_TOKEN=ts_… python examples/preference_loop.py

# %%
import tempfile
import uuid

from touchstone_client import Client

client = Client()
project = client.create_project(f"example-{uuid.uuid4().hex[:8]}", "An example", preset="pairwise")
print(project)

# %% Pairs, as you have them: a prompt, a response that was taken and one that was not.
questions = ["Why is the sky blue?", "What is 2 + 2?", "Name a noble gas.", "Who wrote Faust?"] * 3
rows = [
    {
        "id": f"q{n}",
        "prompt": f"{ask} ({n})",
        "responses": [{"text": f"Right, {n}."}, {"text": f"Wrong {n}, very."}],
    }
    for n, ask in enumerate(questions)
]
run = project.import_(rows).wait(timeout=60)
print({name: run.result[name] for name in ("created", "rejected", "tasks")})


# %% A critic of your own: it dislikes the word "very", and says how sure it is that the second response is better.
def opinions():
    for item in project.items(without="no-very"):
        first, second = item["responses"]
        worse = ("very" in second["text"]) - ("very" in first["text"])
        yield {
            "item": item["external_id"],
            "responses": [0, 1],
            "preferences": [{"axis": "overall", "value": -worse, "probability": 0.5 - 0.4 * worse}],
        }


landed = project.suggest({"name": "no-very", "kind": "program", "version": "1"}, opinions())
print(landed.created, "suggestions,", len(landed.rejected), "rejected")

# %% People answer in the browser. Here this script does, through the same calls as the annotation screen.
answered = 0
while task := client.next_task(project.slug):
    sides = [response["text"] for response in task["responses"]]
    better = -1 if sides[0].startswith("Right") else 1
    client.submit(task["id"], preferences=[{"axis": "overall", "value": better}], active_ms=4000)
    answered += 1
print(answered, "answers")

# %% A version: immutable, hashed, split by prompt.
run = project.dataset("preferences").make("trl-preference", splits={"train": 0.7, "test": 0.3}).wait(timeout=120)
version = run.version()
print(version, version.info.counts["rows"], version.info.hash[:12])

# %% As a trainer reads it.
folder = tempfile.mkdtemp()
data = version.to_datasets(folder)
print(data)
print(data["train"][0])

# %% The same without this client: the Hub's own, with HF_ENDPOINT at your Touchstone.
print(f"HF_ENDPOINT={client.url}/hub HF_TOKEN=ts_… python -c 'from datasets import load_dataset;")
print(f'  print(load_dataset("{project.slug}/preferences", revision="v{version.number}"))\'')

# %% One training row, traced back: which pair, which annotations, whose, and how long they took.
trace = version.trace("train", 0)
[decided] = trace.lineage
print(f"train row 0 is item {trace.item['external_id']}, decided by {decided['how']} of {decided['votes']}:")
for one in trace.annotations:
    print(f"  annotation {one['annotation']} by {one['annotator']}, {one['active_ms'] / 1000:.1f} s")
print(f"  {trace.minutes:.2f} minutes in all")

# %%
client.close()
