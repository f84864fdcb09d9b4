"""What mail systems write, as tables: how a notice is known, where it ends, and what stands before an address.

Every entry is lower-case and matched in lower-cased text with single blanks. They are wordings of systems, not of
single mails; a wording that people use too counts only together with a sender that is a mail system.
"""

from __future__ import annotations

from typing import Final

# Several to a line: these are lists to be searched, not read.
# fmt: off

# Local parts that only mail systems write from.
DAEMONS: Final = (
    "mailer-daemon", "mailerdaemon", "mailer_daemon", "mail-daemon", "maildaemon", "mail.delivery", "mail-delivery",
    "maildelivery", "postmaster", "post_master", "post.master", "poostmaster", "mdaemon", "mailsystem", "mail-system",
    "bounce-notification",
)
DAEMON_NAMES: Final = (
    "mail delivery s", "mail delivery daemon", "mailer-daemon", "mailer daemon", "mail administrator",
    "internet mail delivery", "mail router", "system administrator", "system attendant", "microsoft outlook",
    "microsoft exchange", "e-mail interconnect", "mail transport", "delivery subsystem", "interscan",
    "content-filter", "postmaster",
)

# Subjects of notices; the second table holds those that a parcel service uses too.
SUBJECTS: Final = (
    "undeliver", "non-deliver", "nondeliver", "delivery status notif", "delayed mail", "mail failure",
    "failure notice", "failed mail", "message delivery has failed", "mail system error", "mail delivery",
    "delivery of mail", "returned mail", "returning message", "mail could not", "message status - ",
    "bounce notification", "email bounce", "[bounce]", "warning: could not send", "postmaster notify",
    "see transcript", "unzustellbar", "nicht zustellbar", "niet-bestelbaar", "onbestelbaar", "kan inte levereras",
    "olevererbart", "niedostarcz", "niedoręcz", "nedoručiteln", "kézbesíthetetlen", "teslim edilem", "ikke leveres",
    "配信でき", "配信不能", "送信でき",
    "系统退信", "无法投递", "无法送达", "投递失败", "無法傳遞", "無法送達",
)
PARCELS_TOO: Final = (
    "delivery status", "not deliver", "could not be delivered", "couldn't be delivered", "unable to deliver",
    "failed to deliver", "delivery fail", "delivery has fail", "delivery error", "delivery problem", "delivery notif",
    "delivery report", "delivery warning", "delivery delay", "failed delivery", "returned to sender",
    "warning: message", "nicht zugestellt", "zustellung", "non remis", "non recapitabile", "no se puede entregar",
    "no se pudo entregar", "no entregado", "não foi possível entregar", "não entregue", "недоставлен", "не доставлен",
    "配達不能", "退信",
)

# How the subject of a person's answer begins.
REPLIES: Final = ("re:", "re :", "aw:", "antw:", "sv:", "odp:", "ynt:", "回复", "答复", "回覆")

# Wordings of notices. Before a person's address they prove nothing.
NOTICES: Final = (
    "be delivered to", "not be delivered", "could not be delivered", "couldn't be delivered", "can not be delivered",
    "cannot be delivered", "can't be delivered", "was not delivered", "wasn't delivered", "not been delivered",
    "message not delivered", "address not found", "undeliverable", "undelivered", "non-deliverable",
    "delivery failed", "delivery has failed", "delivery to the following", "delevery to the following",
    "delivery failure", "failed to deliver", "unable to deliver", "able to deliver", "i've given up",
    "has been returned because", "intended recipient", "problem delivering", "trouble delivering", "error delivering",
    "error while trying to deliver", "attempting to deliver", "had permanent fatal errors", "had fatal errors",
    "had transient non-fatal errors", "had delivery errors", "had delivery problems", "did not reach",
    "did not receive this message", "transcript of session", "transcript of the attempts", "message is delayed",
    "message has been delayed", "has been delayed", "this is a warning message only", "temporary failure report",
    "user unknown", "unknown user", "no such user", "unknown recipient", "invalid recipient",
    "invalid final delivery userid", "unrouteable address", "recipients were affected", "was rejected by",
    "was automatically rejected", "rejected recipient", "rejected your message", "email you sent was rejected",
    "could not be sent", "can't be sent", "message could not", "mailbox is full", "mailbox full", "over quota",
    "exceeded the local limit", "returned to sender", "returned to you", "message was returned", "mail system error",
    "failure reasons", "failed recipient", "failed address", "has been blocked", "has been rejected",
    "konnte nicht zugestellt werden", "nicht zugestellt", "n'a pas pu être remis", "n'a pas été remis",
    "impossibile recapitare", "no se pudo entregar", "não pôde ser entregue", "не может быть доставлено",
    "не удалось доставить", "не удается доставить", "nie można dostarczyć", "nie powiodło się", "kunne ikke leveres",
    "送信できません", "配信できません", "送信に失敗",
    "届けできません", "退回", "无法投递", "无法送达", "無法送達",
)

# Wordings that no person uses: proof enough without a known sender.
CERTAIN: Final = (
    "could not be delivered to: <",
    "be delivered to the following", "not delivered to the following", "delivery to the following recipient",
    "delevery to the following recipient", "did not reach the following recipient",
    "recipient(s) could not be reached", "--- non-delivery report ---", "was automatically rejected",
    "this is the qmail-send program at", "this message was created automatically by mail delivery software",
    "this message was created automatically by mail delivery system",
    "----- the following addresses had permanent fatal errors -----", "----- transcript of session follows -----",
    "you are not a member of this mailing list", "this is an automatically generated delivery status notification",
    "автоматически сервером mail.ru", "this is the dragonfly mail agent", "this is the postfix program at host",
    "this is the mail system at host", "message from interscan messaging security suite",
    "each of the following recipients was rejected by a remote mail server",
    "diagnostic information for administrators:", "automatic bounce notification",
    "this report relates to a message you sent with the following header fields",
)

DELAYED: Final = (
    "this is a warning message only", "this is only a warning", "this is only a temporary failure report",
    "has been delayed", "message is delayed", "is delayed for more than", "has not yet been delivered",
    "not yet been delivered", "could not be delivered yet", "could not yet be delivered",
    "had transient non-fatal errors", "delivery attempts will continue", "will be retried", "will continue to try",
    "will keep trying", "still trying to deliver", "do not need to resend", "no action is required on your part",
    "temporarily undeliverable", "noch nicht zugestellt", "n'a pas encore été",
)
SURELY_DELAYED: Final = ("this is a warning message only", "this is only a temporary failure report")
GIVEN_UP: Final = (
    "permanent", "given up", "giving up", "not going to try again", "fatal error", "no further",
    "will not be retried", "too long",
)

# What a notice calls the reason itself.
REASONS: Final = (
    ("reason:", "reason was", "following reason", "error:", "error message", "error was", "原因", "理由", "grund:"),
    ("diagnostic", "problem was", "because"),
)

# Lines after which the message that came back begins.
RETURNED: Final = (
    "below this line is a copy of the message", "below this line is the original", "is a copy of the message",
    "this is a copy of your message", "this is a copy of the message", "is a copy of the original message",
    "copy of the message header", "enclosed is a copy of the message", "included is a copy of the message",
    "original message follows", "original message headers", "message headers follow",
    "headers of the original message", "header of the original message is following", "original message header",
    "message header follows", "--- original message", "---original message", "--- returned message",
    "---returned message", "--- unsent message", "--- undelivered message", "unsent message follows",
    "unsent message below", "message text follows", "message follows:", "bounced e-mail:", "bounced email:",
    "--original mail info", "start of returned message", "content of the original message",
    "the body of your message", "begin original message", "original message as follows", "rfc 822 header",
)

# Labels whose address is not the one that failed.
OTHERS: Final = (
    "from", "sender", "reply", "return", "contact", "help", "assist", "support", "question", "postmaster", "admin",
    "cc", "message-id", "message id", "messageid", "mts-id", "generating server", "reporting", "mail from",
    "errors-to", "authenticated", "http", "envelope-from", "generated", "abuse", "id ",
)
# Words right before an address that did fail.
BEFORE: Final = (
    "you are not a member of this mailing list", "deliver message to", "deliver mail to", "deliver your message to",
    "deliver the message to", "delivering your mail to", "delivering your message to", "delivering to", "deliver to",
    "delivery to", "delivered to", "delivered to the recipient", "delivery for", "undeliverable to", "not deliver to",
    "rejected recipient", "rejected address", "rejected by", "unknown user", "user unknown", "unknown address",
    "invalid recipient", "unknown recipient", "invalid address", "final delivery userid",
    "user mailbox exceeds allowed size", "attempts", "address", "recipient", "recipients", "rcpt to", "rcpt",
    "message to", "mail to", "email to", "e-mail to", "emailed to", "sent to", "宛先", "收件人",
    "无法发送到", "无法投递到", "无法送达", "未能发送到", "收件人邮件地址\uff08", "收件人地址\uff08",
)
# Words that often stand before it, and before others too.
LOOSE: Final = (
    "to", "for", "reach", "user", "mailbox", "mailbox for", "mailbox of", "account", "generated from", "für", "an",
    "à",
)
