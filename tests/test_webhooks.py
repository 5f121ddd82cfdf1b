"""Webhooks: what is told and when, signed and verified by the reference library, tried again, given up, replayed."""

from __future__ import annotations

import contextlib
import http.client
import http.server
import re
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as conf
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from curation.models import Annotation, Delivery, Project, Webhook
from curation.services import annotating, delivering, freezing, running, telling, tidying, webhooks
from curation.services.desk import desk_in
from tests.cast import Cast, make_pairs
from tests.conftest import calling
from tests.receiver import Receiver, receiving
from tests.test_freezing import answer_all
from workers import outside

EVERYTHING = list(telling.EVENTS)


@pytest.fixture
def receiver(settings: Any) -> Iterator[Receiver]:
    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    with receiving() as server:
        yield server


@pytest.fixture
def webhook(cast: Cast, receiver: Receiver) -> Webhook:
    made = webhooks.add(project=cast.project, url=receiver.url, events=EVERYTHING, user=cast.olga)
    receiver.secret = made.secret
    cast.project.refresh_from_db()
    return made


def sent(receiver: Receiver) -> list[str]:
    """Deliver what is due; the types of all that arrived."""
    delivering.deliver_due()
    return [message["type"] for _, message in receiver.messages]


def test_a_task_is_told_when_it_is_complete_not_at_each_answer(
    cast: Cast, webhook: Webhook, receiver: Receiver, django_capture_on_commit_callbacks: Any
) -> None:
    Project.objects.update(overlap=2)
    cast.project.refresh_from_db()
    make_pairs(cast.project, 2)
    with django_capture_on_commit_callbacks(execute=True):
        answer_all(cast, "ann", -1, 1)
        assert sent(receiver) == []
        answer_all(cast, "bob", -2)
    assert sent(receiver) == ["task.completed"]
    headers, message = receiver.messages[0]
    assert message["data"]["decisions"] == [
        {"axis": "overall", "outcome": "first", "value": -1.5, "confidence": 1.0, "votes": 2}
    ]
    assert message["data"]["item"] == "item-0" and len(message["data"]["annotations"]) == 2
    with django_capture_on_commit_callbacks(execute=True):
        answer_all(cast, "bob", 1)
    assert sorted(sent(receiver)) == ["batch.finished", "task.completed", "task.completed"]
    assert receiver.unsigned == 0 and headers["content-type"] == "application/json"


def test_taken_back_and_completed_again_is_another_event(
    cast: Cast, webhook: Webhook, receiver: Receiver, django_capture_on_commit_callbacks: Any
) -> None:
    make_pairs(cast.project, 1)
    with django_capture_on_commit_callbacks(execute=True):
        answer_all(cast, "ann", -1)
    desk = desk_in(cast.ann, cast.project.slug)
    with django_capture_on_commit_callbacks(execute=True):
        last = Annotation.objects.get()
        annotating.undo(desk=desk, annotation_id=last.pk, commit=annotating.Commit("u"))
    task = last.task_id
    with django_capture_on_commit_callbacks(execute=True):
        judgements = [annotating.Judgement("overall", 2)]
        annotating.submit(
            desk=desk_in(cast.ann, cast.project.slug),
            task_id=task,
            judgements=judgements,
            commit=annotating.Commit("v"),
        )
    assert sorted(sent(receiver)) == ["batch.finished", "batch.finished", "task.completed", "task.completed"]
    assert len({headers["webhook-id"] for headers, _ in receiver.messages}) == 4


def test_versions_and_runs_are_told(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    make_pairs(cast.project, 1)
    version = freezing.request_version(project=cast.project, dataset_name="prefs", user=cast.olga)
    running.execute(str(version.run_id))
    assert sorted(sent(receiver)) == ["dataset.version.ready", "run.ended"]
    by_type = {message["type"]: message["data"] for _, message in receiver.messages}
    ready, run = by_type["dataset.version.ready"], by_type["run.ended"]
    assert (ready["dataset"], ready["number"], run["method"], run["state"]) == ("prefs", 1, "freeze", "succeeded")
    stopped = freezing.request_version(project=cast.project, dataset_name="prefs", user=cast.olga)
    assert stopped.run is not None
    running.cancel(stopped.run)
    assert sorted(sent(receiver)[2:]) == ["dataset.version.failed", "run.ended"]


def test_nobody_is_told_of_what_they_did_not_ask_for(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    webhooks.change(webhook, events=["run.ended"])
    version = freezing.request_version(project=cast.project, dataset_name="prefs", user=cast.olga)
    running.execute(str(version.run_id))
    assert sent(receiver) == ["run.ended"]
    webhooks.change(webhook, active=False)
    telling.tell(cast.project, "run.ended", {})
    assert sent(receiver) == ["run.ended"] and Delivery.objects.count() == 1


def test_without_webhooks_a_submit_asks_the_database_nothing_more(cast: Cast, settings: Any) -> None:
    make_pairs(cast.project, 2)
    with CaptureQueriesContext(connection) as seen:
        answer_all(cast, "ann", -1, 1)
    about = [one["sql"] for one in seen if "curation_webhook" in one["sql"] or "curation_delivery" in one["sql"]]
    assert len(seen) > 5 and not about


def test_failures_are_tried_again_with_the_same_id_until_it_arrives(
    cast: Cast, webhook: Webhook, receiver: Receiver
) -> None:
    receiver.moods = [500, 302, 503]
    made = webhooks.ping(webhook)
    for n, pause in enumerate((5, 300, 1800), 1):
        delivering.deliver_due()
        made.refresh_from_db()
        assert made.state == "pending" and made.attempts == n and made.error.startswith("answered")
        assert 0.85 * pause < (made.due_at - timezone.now()).total_seconds() < 1.15 * pause
        assert delivering.deliver_due() == 0, "it is not due yet"
        Delivery.objects.update(due_at=timezone.now())
    delivering.deliver_due()
    made.refresh_from_db()
    assert made.state == "delivered" and made.status == 204 and made.delivered_at
    assert len({headers["webhook-id"] for headers, _ in receiver.messages}) == 1 and len(receiver.messages) == 4


def test_what_is_given_up_can_be_sent_again(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    receiver.moods = [500] * (len(delivering.PAUSES) + 1)
    made = webhooks.ping(webhook)
    for _ in receiver.moods[:]:
        delivering.deliver_due()
        Delivery.objects.filter(state="pending").update(due_at=timezone.now())
    made.refresh_from_db()
    assert made.state == "dead" and made.attempts == 9 and delivering.deliver_due() == 0
    assert webhooks.replay_dead(webhook) == 1
    delivering.deliver_due()
    made.refresh_from_db()
    assert made.state == "delivered" and {h["webhook-id"] for h, _ in receiver.messages} == {str(made.message)}


def test_a_receiver_that_is_gone_is_left_alone(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    receiver.moods = [410]
    made = webhooks.ping(webhook)
    delivering.deliver_due()
    made.refresh_from_db()
    webhook.refresh_from_db()
    assert made.state == "dead" and not webhook.active


def test_both_secrets_sign_for_a_day(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    old = webhook.secret
    webhooks.rotate(webhook)
    assert webhook.secret != old
    webhooks.ping(webhook)
    assert sent(receiver) == ["ping"], "the receiver still has the old one"
    receiver.secret = webhook.secret
    webhooks.ping(webhook)
    assert len(sent(receiver)) == 2 and receiver.unsigned == 0
    Webhook.objects.update(rotated_until=timezone.now() - timedelta(seconds=1))
    receiver.secret = old
    webhooks.ping(webhook)
    assert len(sent(receiver)) == 2 and receiver.unsigned == 1


def test_two_senders_never_send_one_at_once(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    made = webhooks.ping(webhook)
    first = delivering.claim()
    assert [one.pk for one in first] == [made.pk] and delivering.claim() == []
    Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    again = delivering.claim()
    assert [one.message for one in again] == [made.message], "after the lease it is sent again, under the same id"


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/", "http://localhost/", "https://10.0.0.1/", "http://192.168.1.1:8080/x", "http://169.254.169.254/",
        "http://[::1]/", "http://[fe80::1]/", "http://[fc00::1]/", "http://[fec0::1]/",
        "http://[::ffff:127.0.0.1]/", "http://[64:ff9b::7f00:1]/",
        "http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://0.0.0.0/",
        "http://100.64.0.1/", "http://224.0.0.1/", "http://[2002:7f00:1::]/", "ftp://example.org/", "file:///etc/passwd",
        "https://user:secret@example.org/", "http://", "https://no-such-host.invalid/", "javascript:alert(1)",
        "http://127.0.0.1:99999/", "http://127.0.0.1\r\nX: y/",
    ],
)  # fmt: skip
def test_nothing_is_sent_into_the_house(cast: Cast, url: str) -> None:
    answer = calling(cast.olga).post(
        f"/api/v1/projects/{cast.project.slug}/webhooks", {"url": url, "events": EVERYTHING}
    )
    assert answer.status_code in (400, 422) and answer.json()["errors"][0]["field"] == "url", url
    assert not Webhook.objects.exists()


def test_a_name_that_leads_elsewhere_later_leads_nowhere(cast: Cast, receiver: Receiver, monkeypatch: Any) -> None:
    """DNS rebinding: public when the webhook is made, the house when it is sent; and one public among private ones."""
    answers = [["93.184.216.34"], ["127.0.0.1"]]
    monkeypatch.setattr(outside, "resolved", lambda host, port: answers.pop(0) if len(answers) > 1 else answers[0])
    monkeypatch.setattr(conf, "WEBHOOK_ALLOW", [])
    made = webhooks.add(project=cast.project, url="http://rebind.example/", events=EVERYTHING, user=cast.olga)
    ping = webhooks.ping(made)
    delivering.deliver_due()
    ping.refresh_from_db()
    told = delivering.post(f"http://{'a' * 250}.example/", b"", {}).error
    assert told.startswith("not sent: the address aaa") and len(told) == 300  # as much as a delivery keeps
    assert "127.0.0.1, which is not on the public internet; an administrator" in ping.error and not receiver.messages
    answers[:] = [["93.184.216.34", "10.0.0.1"]]
    with pytest.raises(outside.Refused, match="10.0.0.1"):
        outside.checked("http://two.example/")


def test_the_connection_goes_to_the_address_that_was_checked(receiver: Receiver, monkeypatch: Any) -> None:
    monkeypatch.setattr(outside, "resolved", lambda host, port: ["127.0.0.1"])
    real, asked = socket.create_connection, []

    def connect(address: Any, *more: Any, **options: Any) -> Any:
        asked.append(address)
        return real(address, *more, **options)

    monkeypatch.setattr(socket, "create_connection", connect)
    port = receiver.server_address[1]
    assert outside.post(f"http://name.example:{port}/", b"{}", {}, allowed=["127.0.0.0/8"]) == 401
    assert asked == [("127.0.0.1", port)]


def test_a_receiver_that_hangs_does_not_hold_up_the_others(
    cast: Cast, webhook: Webhook, receiver: Receiver, monkeypatch: Any
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/"
        slow = webhooks.add(project=cast.project, url=url, events=EVERYTHING, user=cast.olga)
        real = outside.post
        monkeypatch.setattr(outside, "post", lambda *a, **k: real(*a, **{**k, "timeout": 0.5}))
        webhooks.ping(slow)
        webhooks.ping(webhook)
        assert sent(receiver) == ["ping"]
        assert Delivery.objects.get(webhook=slow).error.startswith("TimeoutError")


def test_a_receiver_that_drips_is_hung_up_on(receiver: Receiver) -> None:
    def drip(listening: socket.socket) -> None:
        taken, _ = listening.accept()
        with taken, contextlib.suppress(OSError):
            taken.recv(4096)
            for letter in b"HTTP/1.1 200 OK\r\n" * 50:
                taken.send(bytes([letter]))
                time.sleep(0.3)

    with socket.create_server(("127.0.0.1", 0)) as listening:
        threading.Thread(target=drip, args=[listening], daemon=True).start()
        url, began = f"http://127.0.0.1:{listening.getsockname()[1]}/", time.monotonic()
        with pytest.raises((OSError, http.client.HTTPException)):
            outside.post(url, b"{}", {}, allowed=["127.0.0.1"], timeout=0.6)
        assert time.monotonic() - began < 60


def test_who_comes_late_says_nothing(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    made = webhooks.ping(webhook)
    (late,) = delivering.claim()
    Delivery.objects.update(due_at=timezone.now() - timedelta(seconds=1))
    assert sent(receiver) == ["ping"]
    delivering.settle(late, delivering.Outcome(500))
    made.refresh_from_db()
    assert made.state == "delivered"


def test_a_redirect_into_the_house_is_not_followed(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    receiver.moods = [302]
    made = webhooks.ping(webhook)
    delivering.deliver_due()
    made.refresh_from_db()
    assert (made.state, made.status, made.error) == ("pending", 302, "answered 302") and len(receiver.messages) == 1


def test_the_api(cast: Cast, receiver: Receiver) -> None:
    client, base = calling(cast.mia), f"/api/v1/projects/{cast.project.slug}/webhooks"
    made = client.post(base, {"url": receiver.url, "events": ["run.ended", "task.completed"]})
    assert made.status_code == 201 and made.json()["secret"].startswith("whsec_")
    assert made.json()["events"] == ["task.completed", "run.ended"]
    url, receiver.secret = f"{base}/{made.json()['id']}", made.json()["secret"]
    assert client.post(base, {"url": receiver.url, "events": ["nothing"]}).status_code == 422
    assert client.post(base, {"url": receiver.url, "events": []}).status_code == 422
    tag = client.get(url)["ETag"]
    assert client.patch(url, {"active": False}, HTTP_IF_MATCH=tag).status_code == 200
    assert client.patch(url, {"active": True}, HTTP_IF_MATCH=tag).status_code == 412
    assert client.post(f"{url}/ping").status_code == 409
    client.patch(url, {"active": True})
    ping = client.post(f"{url}/ping").json()
    assert ping["event"] == "ping" and sent(receiver) == ["ping"]
    (one,) = client.get(f"{url}/deliveries", {"state": "delivered"}).json()["results"]
    assert one["message"] == ping["message"] and one["payload"]["type"] == "ping"
    assert client.post(f"{url}/deliveries/{ping['message']}/replay").json()["state"] == "pending"
    assert client.post(f"{url}/deliveries/{ping['message']}/replay").status_code == 409
    assert len(sent(receiver)) == 2 and client.get(f"{url}/deliveries?state=lost").status_code == 422
    assert client.post(f"{url}/rotate").json()["secret"] != receiver.secret
    assert client.delete(url).status_code == 204 and client.get(url).status_code == 404
    cast.project.refresh_from_db()
    assert cast.project.webhook_count == 0


def test_the_pages(cast: Cast, receiver: Receiver) -> None:
    browser = Client()
    browser.force_login(cast.mia, backend="django.contrib.auth.backends.ModelBackend")
    base = f"/projects/{cast.project.slug}/webhooks/"
    assert b"No webhooks yet" in browser.get(base).content
    wrong = browser.post(base, {"url": "http://10.0.0.1/", "events": ["run.ended"]})
    assert wrong.status_code == 422
    told = b"10.0.0.1 is not on the public internet; an administrator can allow it with TOUCHSTONE_WEBHOOK_ALLOW"
    assert told in wrong.content and b"leads to" not in wrong.content
    assert re.search(rb'webhooks/" aria-current="page">Webhooks', wrong.content)
    page = browser.post(base, {"url": receiver.url, "events": ["run.ended"]}, follow=True)
    webhook = Webhook.objects.get()
    receiver.secret = webhook.secret
    assert webhook.secret.encode() in page.content and b"Nothing was sent yet" in page.content
    browser.post(f"{base}{webhook.pk}/ping/")
    assert sent(receiver) == ["ping"]
    one = Delivery.objects.get()
    assert b"Delivered" in browser.get(f"{base}{webhook.pk}/?state=delivered").content
    assert b"Nothing was sent" in browser.get(f"{base}{webhook.pk}/?state=dead&before=x").content
    detail = browser.get(f"{base}{webhook.pk}/deliveries/{one.message}/")
    assert b"Send again" in detail.content and b"&quot;type&quot;: &quot;ping&quot;" in detail.content
    browser.post(f"{base}{webhook.pk}/deliveries/{one.message}/replay/")
    assert len(sent(receiver)) == 2
    for what in ("rotate", "pause", "pause", "replay"):
        assert browser.post(f"{base}{webhook.pk}/{what}/", follow=True).status_code == 200
    assert b"Webhooks" in browser.get(f"/projects/{cast.project.slug}/settings/").content
    browser.post(f"{base}{webhook.pk}/remove/")
    assert b"No webhooks yet" in browser.get(base).content


def test_delivered_messages_are_tidied_after_a_month(cast: Cast, webhook: Webhook, receiver: Receiver) -> None:
    webhooks.ping(webhook)
    sent(receiver)
    tidying.tidy()
    assert Delivery.objects.count() == 1
    Delivery.objects.update(delivered_at=timezone.now() - timedelta(days=31))
    tidying.tidy()
    assert Delivery.objects.count() == 0


def test_the_receiver_of_the_docs_takes_our_messages(cast: Cast, settings: Any, monkeypatch: Any, capsys: Any) -> None:
    text = (Path(conf.BASE_DIR) / "docs" / "webhooks.md").read_text()
    code = re.findall(r"```python\n(.*?)```", text, re.S)[0]
    space: dict[str, Any] = {"__name__": "receiver"}
    exec(code, space)
    settings.WEBHOOK_ALLOW = ["127.0.0.1"]
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), space["Receiver"]) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_address[1]}/"
        made = webhooks.add(project=cast.project, url=url, events=EVERYTHING, user=cast.olga)
        monkeypatch.setenv("WEBHOOK_SECRET", made.secret)
        ping = webhooks.ping(made)
        delivering.deliver_due()
        ping.refresh_from_db()
        webhooks.replay(ping)
        delivering.deliver_due()
        server.shutdown()
    ping.refresh_from_db()
    assert ping.state == "delivered" and capsys.readouterr().out.count("ping {") == 1
