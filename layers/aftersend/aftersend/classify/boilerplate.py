"""Lists what surrounds a reply and must not be read as part of it, and the few host names that are evidence."""

from __future__ import annotations

from typing import Final

# Machines whose name is evidence: block lists and the help pages of providers. Their name becomes one word; the words
# of the path are kept, because "?p=DisabledUser" says more than the sentence before it.
KNOWN_HOSTS: Final = {
    "spamhaus.org": "spamhaus",
    "spamhaus.net": "spamhaus",
    "abuseat.org": "spamhaus",
    "spamcop.net": "spamcop",
    "barracudacentral.org": "barracudacentral",
    "barracudanetworks.com": "barracudacentral",
    "sorbs.net": "sorbs",
    "uceprotect.net": "uceprotect",
    "spamrats.com": "spamrats",
    "uribl.com": "uribl",
    "surbl.org": "surbl",
    "dnswl.org": "dnswl",
    "senderbase.org": "senderbase",
    "senderscore.org": "senderscore",
    "senderscore.net": "senderscore",
    "mailspike.net": "mailspike",
    "mailspike.org": "mailspike",
    "njabl.org": "njabl",
    "ordb.org": "ordb",
    "dsbl.org": "dsbl",
    "cloudmark.com": "cloudmark",
    "cloudfilter.net": "cloudfilter",
    "openspf.org": "openspf",
    "openspf.net": "openspf",
    "spf.pobox.com": "openspf",
    "ipcheck.proofpoint.com": "proofpointipcheck",
    "groups.google.com": "googlegroups",
    "support.google.com": "googlesupport",
    "mail.google.com": "googlesupport",
    "go.microsoft.com": "microsoftsupport",
    "sender.office.com": "microsoftdelist",
    "mail.live.com": "microsoftsupport",
    "postmaster.live.com": "microsoftsupport",
    "postmaster.gmx.com": "gmxpostmaster",
    "postmaster.gmx.net": "gmxpostmaster",
    "postmaster.web.de": "gmxpostmaster",
    "postmaster.1und1.de": "gmxpostmaster",
    "postmaster.aol.com": "aolpostmaster",
    "help.yahoo.com": "yahoohelp",
    "postmaster.yahoo.com": "yahoohelp",
    "postmaster.comcast.net": "comcastpostmaster",
    "service.mail.qq.com": "qqhelp",
    "help.mail.163.com": "neteasehelp",
    "mail.163.com": "neteasehelp",
    "mail.ru": "mailruhelp",
}
# The first words of sentences that some systems glue to the full stop before: "user unknown.Please check".
_SENTENCE: Final = """
    a address an and authentication because by check client contact delivery domain email error fix for from
    giving help host http https if in invalid ip it its learn mail mailbox message no not please reason recipient
    refer rejected see send sender server sorry spam the this to try user users visit we you your
"""
SENTENCE: Final = frozenset(_SENTENCE.split())
# Dotted words of Exchange that are tags, not machines.
TAGS: Final = ("resolver.", "storedrv.", "smtpsend.", "queue.expired", "routing.", "dsn.", "transport.", "agent.")

# What mail systems and their notices wrap around a reply, as folded: it says nothing, and some of it misleads. The
# phrases stand under a word of theirs, so that most texts are done with one look.
BOILERPLATE: Final[dict[str, tuple[str, ...]]] = {
    "command": (
        " command output ",
        " rcpt to command failed detail ",
        " rcpt to command failed ",
        " mail from command failed detail ",
        " mail from command failed ",
        " data end command failed detail ",
        " data end command failed ",
        " data command failed detail ",
        " data command failed ",
        " in reply to rcpt to command ",
        " in reply to mail from command ",
        " in reply to end of data command ",
        " in reply to data command ",
        " need rcpt command ",
        " valid rcpt command must precede data ",
    ),
    "said": (
        " host HOST IP said ",
        " HOST IP said ",
        " remote host said ",
    ),
    "recipients": (
        " smtp error the following recipients failed ADDR ",
        " smtp error the following recipients failed ",
        " the following recipients failed ADDR ",
        " the following recipients failed ",
    ),
    "accepted": (" smtp error data not accepted ",),
    "info": (" additional smtp info ",),
    "attempt": (" earlier attempt ", " previous attempt ", " last attempt ", " first attempt "),
    "attempts": (" delivery attempts NUM ",),
    "failover": (" attempted failover to alternate host but that did not succeed ",),
    "returned": (
        " remote server returned an error ",
        " remote server returned ",
        " the error that the other server returned was ",
    ),
    "response": (" the response from the remote server was ",),
    "rejected": (
        " recipient address rejected ",
        " was rejected by the recipient domain ",
        " was rejected by the server for the recipient domain ",
        " has rejected address ",
        " each of the following recipients was rejected by a remote mail server the reasons given by the server are"
        " included to help you determine why each recipient was rejected ",
        " each of the following recipients was rejected by a remote mail server ",
        " all rcpt commands were rejected with this error ",
    ),
    "like": (" does not like recipient ",),
    "wasnt": (" address not found your message wasnt delivered to ADDR because ",),
    "suspended": (" delivery temporarily suspended ",),
    "delivering": (" message not delivered there was a problem delivering your message to ADDR ",),
    "permanently": (" delivery to the following recipient failed permanently ",),
    "couldnt": (
        " the address couldnt be found or is unable to receive mail ",
        " the address couldnt be found check for typos or unnecessary spaces and try again ",
        " recipient inbox full your message couldnt be delivered to ADDR ",
    ),
    "typos": (" check for typos or unnecessary spaces and try again ",),
    "technical": (
        " message blocked your message to ADDR has been blocked see technical details below ",
        " technical details of permanent failure ",
    ),
    "mime": (
        " portions of this message may be unreadable without a mime capable mail program ",
        " understand mime message format ",
    ),
    "error": (
        " smtp error from remote mail server after rcpt to ADDR ",
        " smtp error from remote mail server after end of data ",
        " smtp error from remote mail server after mail from ADDR size NUM ",
        " smtp error from remote mail server after mail from ADDR ",
        " smtp error from remote mail server ",
        " error no valid recipients ",
    ),
    "diagnostic": (" diagnostic information for administrators ",),
    "groups": (" delivery has failed to these recipients or groups ",),
    "generating": (" generating server HOST ",),
    "transcript": (" transcript of session follows ",),
    "module": (
        " smtp module domain HOST reports host HOST says ",
        " smtp module domain HOST reports ",
    ),
    "undeliverable": (
        " undeliverable mail your message to the following recipients cannot be delivered ",
        " this message was undeliverable due to the following reason ",
        " the following message to ADDR was undeliverable the reason for the problem ",
    ),
    "appears": (
        " could not be delivered the problem appears to be recipient email server rejected the message additional"
        " information follows ",
        " the problem appears to be ",
    ),
    "URL": (" see URL ",),
    "sender": (
        " returned to the sender ",
        " returned to sender ",
        " returning to sender ",
        " return to sender ",
    ),
    "full": (
        " full details ",
        " full report ",
        " full text ",
        " full message ",
    ),
    "need": (" need rcpt recipient ",),
}

# The sentences that RFC 5321 puts to a reply code: some providers begin every refusal with the same one, and give the
# reason after it. They count only where nothing else is said. Under a word of theirs, as above.
STOCK: Final[dict[str, tuple[str, ...]]] = {
    "requested": (
        " requested action not taken mailbox unavailable or not local ",
        " requested action not taken mailbox unavailable ",
        " requested mail action not taken mailbox unavailable ",
        " requested action not taken ",
        " requested mail action not taken ",
        " requested action aborted ",
        " requested mail action aborted ",
    ),
}
# Words that say nothing of the reason: a text of nothing else is silent, and its code decides.
_EMPTY: Final = """
    a aborted action ADDR address also an and any are as at be been bounce bounced but by can cannot cant case code
    codes command contact could couldnt daemon deliver delivered delivering delivery detail details diagnostic did
    email emails error errors esmtp explanation fail failed failing failure failures fatal follow followed following
    for from further given giving gmxpostmaster googlesupport has have help here HOST host how if in info
    information into IP is it its learn line mail mailer message messages microsoftsupport more mta mx neteasehelp
    next not NUM of on or our out perm permanent permanently please postmaster qqhelp question questions reason
    refer remote reply report requested responded response result returned said says see sent server smtp some sorry
    status support system taken technical that the there these this to transaction try undef undefined undeliverable
    undelivered unfortunately unknown url URL visit was web were when which while will with would www you your
"""
EMPTY_WORDS: Final = frozenset(_EMPTY.split())
