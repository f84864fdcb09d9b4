# ruff: noqa: RUF001
"""Automatic answers that name no RFC 3834: their subjects in many languages, and what is none."""

from __future__ import annotations

import pytest

from aftersend.core.model import Kind
from aftersend.sources import report
from aftersend.sources.report.parsed import MailType


def mail(subject: str, text: str = "Hello", *headers: str) -> bytes:
    """A mail that a person's mailbox sent, without any header that says so."""
    top = ["From: Jo Do <jo@example.org>", "To: bounces@example.com", f"Subject: {subject}", *headers]
    top += ["Date: Tue, 03 Mar 2026 09:15:02 +0000", "Content-Type: text/plain; charset=utf-8"]
    return "\n".join([*top, "", text]).encode()


def type_of(raw: bytes) -> MailType:
    """What the one mail is."""
    (parsed,) = report.parse_mails(raw)
    return parsed.report.mail_type


SUBJECTS = {
    "English": (
        "Automatic reply: Your order",
        "Out of office: Your order",
        "AUTO: Jo Do is out of the office. (back 12/05)",
    ),
    "German": ("Automatische Antwort: Ihre Bestellung", "Abwesenheitsnotiz: Bestellung", "AUTO: Jo Do ist außer Haus"),
    "French": ("Réponse automatique : Votre commande", "Absence du bureau : Re: commande", "Jo Do est absent."),
    "Spanish": ("Respuesta automática: Su pedido", "Fuera de la oficina: pedido"),
    "Portuguese": ("Resposta automática: O seu pedido", "Fora do escritório"),
    "Catalan": ("Resposta automàtica: comanda",),
    "Italian": ("Risposta automatica: Ordine", "Fuori ufficio: ordine", "Jo Do è fuori sede."),
    "Dutch": ("Automatisch antwoord: Uw bestelling", "Afwezig: bestelling"),
    "Swedish": ("Autosvar: Din order", "Automatiskt svar: order", "Frånvaromeddelande: order", "Frånvaro"),
    "Norwegian": ("Automatisk svar: ordre", "Fraværsmelding: ordre"),
    "Danish": ("Autosvar: ordre", "Ikke til stede: ordre"),
    "Finnish": ("Automaattinen vastaus: Tilaus", "Poissa toimistosta: tilaus"),
    "Icelandic": ("Sjálfvirkt svar: pöntun",),
    "Polish": ("Odpowiedź automatyczna: zamówienie", "Nieobecność w biurze"),
    "Czech": ("Automatická odpověď: objednávka", "Mimo kancelář: objednávka"),
    "Slovak": ("Automatická odpoveď: objednávka",),
    "Hungarian": ("Automatikus válasz: rendelés", "Házon kívül: rendelés"),
    "Romanian": ("Răspuns automat: comanda",),
    "Croatian": ("Automatski odgovor: narudžba",),
    "Slovene": ("Samodejni odgovor: naročilo",),
    "Bulgarian": ("Автоматичен отговор: поръчка", "Извън офиса: поръчка"),
    "Russian": ("Автоматический ответ: заказ", "Автоответ: заказ", "В отпуске"),
    "Ukrainian": ("Автоматична відповідь: замовлення",),
    "Greek": ("Αυτόματη απάντηση: παραγγελία", "Εκτός γραφείου: παραγγελία"),
    "Turkish": ("Otomatik yanıt: sipariş", "Ofis dışında: sipariş"),
    "Estonian": ("Automaatvastus: tellimus",),
    "Lithuanian": ("Automatinis atsakymas: užsakymas",),
    "Latvian": ("Automātiska atbilde: pasūtījums",),
    "Hebrew": ("תשובה אוטומטית: הזמנה",),
    "Arabic": ("رد تلقائي: طلب",),
    "Persian": ("پاسخ خودکار: سفارش",),
    "Hindi": ("स्वचालित उत्तर: आदेश",),
    "Thai": ("การตอบกลับอัตโนมัติ: คำสั่งซื้อ",),
    "Vietnamese": ("Trả lời tự động: đơn hàng",),
    "Indonesian": ("Balasan otomatis: pesanan",),
    "Malay": ("Balasan automatik: pesanan",),
    "Korean": ("자동 회신: 주문", "부재중: 주문"),
    "Japanese": ("自動応答: ご注文", "自動返信：ご注文", "不在通知"),
    "Chinese": ("自动答复: 订单", "自动回复：订单", "自動回覆: 訂單"),
}


@pytest.mark.parametrize("subject", [each for subjects in SUBJECTS.values() for each in subjects])
@pytest.mark.parametrize("prefix", ["", "Re: ", "[EXTERNAL] "])
def test_a_subject_that_no_person_writes_is_enough(subject: str, prefix: str) -> None:
    (fact,) = report.parse(mail(prefix + subject))
    assert (fact.kind, fact.recipient) == (Kind.AUTO_REPLIED, "email:jo@example.org")


def test_many_languages_are_known() -> None:
    assert len(SUBJECTS) >= 25


@pytest.mark.parametrize(
    ("subject", "text", "header"),
    [
        ("Vacation", "I am out of the office until Monday.", "X-Mailer: vacation"),
        ("Re: Your order", "I am on vacation and will not be reading my mail.", "Precedence: junk"),
        ("Re: Your order", "Ich bin bis 12. Mai nicht im Büro.", "Precedence: bulk"),
        ("Votre commande", "Je suis absent jusqu'au 12 mai.", "Precedence: junk"),
        ("Din order", "Jag är på semester till den 12 maj.", "X-Precedence: bulk"),
        ("Jag är på semester", "Jag läser min post igen den 12 maj.", "Return-Path: <>"),
        ("Utanför kontoret", "Tillbaka på måndag.", "In-Reply-To: <order-4711@example.com>"),
        ("Tjänstledig till juni", "Kontakta min kollega.", "Auto-Submitted: auto-generated"),
        ("Föräldraledig", "Kontakta min kollega.", "Return-Path: <>"),
        ("AUTO: Your order", "Note: This is an automated response to your message.", "X-MIMETrack: Serialize"),
        ("ご注文", "ただいま休暇をいただいております。", "Precedence: bulk"),
        ("Away from my desk", "Back on Monday.", "Return-Path: <>"),
        ("Thank you for your e-mail", "I will reply as soon as possible.", "Return-Path: <>\nPrecedence: bulk"),
        ("Danke für Ihre Nachricht", "Wir melden uns.", "Return-Path: <>\nPrecedence: junk"),
        ("Gracias por su mensaje", "Le contestaremos.", "Return-Path: <>\nIn-Reply-To: <order-4711@example.com>"),
    ],
)
def test_weaker_signs_count_together(subject: str, text: str, header: str) -> None:
    assert type_of(mail(subject, text, header)) is MailType.AUTO_REPLY


@pytest.mark.parametrize(
    ("subject", "text", "header"),
    [
        ("Out of office party next week", "Who brings the cake?", "X-Mailer: any"),
        ("Vacation deals", "Book now!", "Precedence: bulk"),
        ("Vacation deals", "Book now!", "X-Mailer: any"),
        ("Automatic reply: how to set it up", "Seven steps.", "List-Unsubscribe: <https://example.org/u>"),
        ("Abwesenheit der Kollegin", "Wer kommt?", "X-Mailer: any"),
        ("On holiday", "The weather is fine.", "X-Mailer: any"),
        ("Question about my order", "I am out of the office next week, please send it later.", "X-Mailer: any"),
        ("Thank you for your order", "It was sent today.", "X-Mailer: any"),
        ("Who is out of the office today", "Nobody.", "X-Mailer: any"),
        ("Semesterresor till halva priset", "Boka nu!", "Precedence: bulk"),
        ("Föräldraledig och trött?", "Läs mer.", "X-Mailer: any"),
        ("Auto: neue Modelle", "Jetzt im Angebot.", "Precedence: bulk"),
    ],
)
def test_what_people_and_newsletters_write_is_none(subject: str, text: str, header: str) -> None:
    assert type_of(mail(subject, text, header)) is MailType.NONE
