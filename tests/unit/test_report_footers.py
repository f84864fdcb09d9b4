# ruff: noqa: RUF001
"""What stands below a notice is no reason: footers of many kinds and languages; and what is a reason is not cut."""

from __future__ import annotations

import pytest

from aftersend import classify
from aftersend.core.model import Reason
from aftersend.sources import report
from aftersend.sources.report.footers import cut_footer

CLASSIFY = classify.load()
FIELDS = "Final-Recipient: rfc822; anna@example.org\nAction: failed\nStatus: {status}\n"
NOTICE = (
    "This is an automatically generated Delivery Status Notification.\n\nDelivery failed.\n\n    anna@example.org\n\n"
)
RULE = "_" * 60 + "\n"
FOOTERS = {
    "scanner": "This email has been scanned for all viruses by the Example Mail Guard.",
    "scanner in a banner": "**** This email was scanned by Example and swept for viruses and spam ****",
    "clean": "No virus found in this message. Checked by Example - www.example.net",
    "believed": "This message has been checked for viruses and\ndangerous content, and is believed to be clean.",
    "legal": "This message is confidential. If you are not the intended recipient delete it.\nWe do not accept spam.",
    "privileged": "The content is legally privileged. Disabled for other use; blocked by policy otherwise.",
    "liability": "Example Ltd accepts no liability for viruses or full mailboxes.",
    "list": "To unsubscribe from this list, write to list-request@example.net with no such user as subject",
    "telephone": "Sent from my telephone, mailbox full of ideas",
    "German": "Diese E-Mail ist vertraulich. Spam und Viren sind nicht erlaubt.",
    "German scanner": "Diese Nachricht wurde auf Viren geprüft und ist virenfrei.",
    "French": "Ce message est confidentiel. Il ne contient aucun virus ni spam.",
    "Spanish": "AVISO LEGAL: no se acepta spam ni virus. Este mensaje ha sido analizado.",
    "Portuguese": "Esta mensagem é confidencial; spam e vírus são proibidos.",
    "Italian": "Informazioni riservate. Controllato da antivirus: nessun virus, nessuno spam.",
    "Dutch": "Dit bericht is vertrouwelijk en gecontroleerd op virussen en spam.",
    "Swedish": "Meddelandet är konfidentiellt och kontrollerat för virus och spam.",
    "Danish": "Denne mail er fortrolig og scannet for virus og spam.",
    "Norwegian": "Denne e-posten er konfidensiell. Virus og spam er kontrollert.",
    "Finnish": "Viesti on luottamuksellinen. Virustarkistettu, ei roskapostia.",
    "Polish": "Wiadomość zawiera informacje poufne i jest wolna od wirusów i spamu.",
    "Czech": "Zpráva je důvěrná a neobsahuje viry ani spam.",
    "Slovak": "Správa je dôverná a neobsahuje vírusy.",
    "Hungarian": "Az üzenet bizalmas és vírusmentes, nem spam.",
    "Romanian": "Mesajul este confidențial, fără viruși și spam.",
    "Greek": "Το μήνυμα είναι εμπιστευτικό. Δεν είναι spam, virus.",
    "Turkish": "Bu e-posta gizlidir ve virüs içermez, spam değildir.",
    "Russian": "Сообщение конфиденциально и проверено на вирусы и спам (spam, virus).",
    "Ukrainian": "Повідомлення конфіденційне та перевірене на віруси (spam, virus).",
    "Bulgarian": "Съобщението е поверително и е проверено за вируси (spam, virus).",
    "Hebrew": "הודעה זו חסויה ונבדקה virus spam. סודיות",
    "Arabic": "هذه الرسالة سرية وخالية من الفيروسات spam virus",
    "Thai": "ข้อความนี้เป็นความลับ spam virus",
    "Vietnamese": "Thư này là bảo mật, không có virus, spam.",
    "Indonesian": "Pesan ini rahasia dan bebas virus, bukan spam.",
    "Chinese": "本邮件及其附件含有保密信息,已通过病毒扫描 spam virus",
    "Japanese": "機密情報が含まれています。ウイルスチェック済み spam virus",
    "Korean": "기밀 정보가 포함되어 있습니다. 바이러스 검사 spam virus",
}


def dsn(notice: str, status: str = "5.1.1") -> bytes:
    """A delivery status notification without a diagnostic code."""
    top = 'From: postmaster@example.org\nTo: bounces@example.com\nContent-Type: multipart/report; boundary="b"\n\n'
    text = f"--b\nContent-Type: text/plain; charset=utf-8\n\n{notice}\n"
    return f"{top}{text}--b\nContent-Type: message/delivery-status\n\n{FIELDS.format(status=status)}\n--b--\n".encode()


def reason_of(raw: bytes) -> Reason:
    """Why the one recipient was refused."""
    (fact,) = report.parse(raw)
    verdict = CLASSIFY(fact)
    assert verdict is not None
    return verdict.reason


@pytest.mark.parametrize("footer", FOOTERS.values(), ids=FOOTERS)
@pytest.mark.parametrize("before", ["", RULE, "-- \n", "-" * 20 + "\n", "=" * 40 + "\n"])
def test_a_footer_is_no_reason(footer: str, before: str) -> None:
    assert reason_of(dsn(f"{NOTICE}{before}{footer}\n")) is Reason.USER_UNKNOWN


@pytest.mark.parametrize("footer", FOOTERS.values(), ids=FOOTERS)
def test_a_footer_is_cut_off(footer: str) -> None:
    text = cut_footer(f"{NOTICE}{RULE}{footer}\nExample Ltd\n")
    assert text.strip() == NOTICE.strip()


def test_what_follows_a_long_rule_is_a_footer_in_any_words() -> None:
    assert reason_of(dsn(f"{NOTICE}{RULE}Visit our spam museum, and see a virus.\n")) is Reason.USER_UNKNOWN


@pytest.mark.parametrize(
    "notice",
    [
        "This email was scanned by the Example Mail Guard.\n\nReason:\n550 5.2.2 <anna@example.org>: mailbox full\n",
        f"Delivery failed.\n{RULE}\n<anna@example.org>: 552 5.2.2 mailbox full\n",
        "This message is confidential.\n\n  anna@example.org: mailbox full\n",
        "Failed.\n-- \n----- Transcript of session follows -----\n552 5.2.2 <anna@example.org>... mailbox full\n",
    ],
)
def test_what_names_a_reply_or_the_recipient_is_no_footer(notice: str) -> None:
    assert reason_of(dsn(notice, "5.0.0")) is Reason.MAILBOX_FULL


@pytest.mark.parametrize(
    "text",
    [
        "Your message was not delivered.\n\nThis email has been scanned and a virus was found: it was infected.\n",
        "Your message was rejected.\n\nIt has been scanned by Example and was blocked.\n",
        "This message is confidential.\n",
        "Your message could not be delivered.\n\nUser unknown\n",
    ],
)
def test_a_finding_and_a_notice_that_is_nothing_else_are_left_whole(text: str) -> None:
    assert cut_footer(text) == text


@pytest.mark.parametrize(
    ("status", "words", "reason"),
    [
        ("5.1.1", "We have problems with spam these days.", Reason.USER_UNKNOWN),
        ("5.2.2", "User unknown to the helpdesk can be reported.", Reason.MAILBOX_FULL),
        ("5.0.0", "The mailbox is full.", Reason.MAILBOX_FULL),
        ("5.1.1", "550 5.2.2 mailbox full", Reason.MAILBOX_FULL),
        ("5.1.1", "anna@example.org: mailbox full", Reason.MAILBOX_FULL),
    ],
)
def test_words_that_name_neither_code_nor_recipient_leave_it_to_a_specific_status(
    status: str, words: str, reason: Reason
) -> None:
    assert reason_of(dsn(f"Delivery has failed.\n\n{words}\n", status)) is reason
