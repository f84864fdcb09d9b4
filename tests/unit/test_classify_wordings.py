"""How many systems word the same refusal, and what each must be read as. Names and addresses are made up."""

# ruff: noqa: E501
from __future__ import annotations

import pytest

from aftersend.classify import evidence_from, load

# reason, class, text. The wordings are those of the system in the comment; the rest is ours.
WORDINGS = """
# Postfix
user_unknown hard 550 5.1.1 <a@corp.example>: Recipient address rejected: User unknown in local recipient table (in reply to RCPT TO command)
user_unknown hard 550 5.1.1 <a@corp.example>: Recipient address rejected: User unknown in virtual mailbox table
user_unknown hard 550 5.1.0 <a@corp.example>: Recipient address rejected: User unknown
user_unknown hard 450 4.1.1 <a@corp.example>: Recipient address rejected: User unknown in relay recipient table
user_unknown hard 550 5.1.1 <a@corp.example>: Recipient address rejected: undeliverable address: host mx.corp.example[192.0.2.1] said: 550 5.1.1 No such user
user_unknown hard 554 5.7.1 <a@corp.example>: Recipient address rejected: User unknown
mailbox_full soft 552 5.2.2 <a@corp.example>: Recipient address rejected: Mailbox full
mailbox_full soft 452 4.2.2 <a@corp.example> Mailbox is full / Blocks limit exceeded / Inode limit exceeded
mailbox_disabled hard 554 5.7.1 <a@corp.example>: Recipient address rejected: Account disabled
relay_denied block 554 5.7.1 <a@corp.example>: Relay access denied (in reply to RCPT TO command)
relay_denied block 454 4.7.1 <a@corp.example>: Relay access denied
sender_rejected block 450 4.1.8 <b@shop.example>: Sender address rejected: Domain not found (in reply to RCPT TO command)
sender_rejected block 550 5.1.0 <b@shop.example>: Sender address rejected: User unknown in virtual mailbox table
sender_rejected block 553 5.7.1 <b@shop.example>: Sender address rejected: not owned by user
auth_failed block 450 4.7.1 Client host rejected: cannot find your hostname, [192.0.2.1]
auth_failed block 550 5.7.1 <a@corp.example>: Recipient address rejected: Please see http://www.openspf.org/Why?s=mfrom
auth_failed block 550 5.7.25 Client host rejected: cannot find your reverse hostname, [192.0.2.1]
blocked block 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org; https://www.spamhaus.org/query/ip/192.0.2.1
blocked block 554 5.7.1 <mail.shop.example[192.0.2.1]>: Client host rejected: Access denied
blocked block 504 5.5.2 <shop>: Helo command rejected: need fully-qualified hostname
blocked block 550 5.7.1 <shop.example>: Helo command rejected: You are not in domain corp.example
greylisted ignore 450 4.2.0 <a@corp.example>: Recipient address rejected: Greylisted, see http://postgrey.schweikert.example/help/corp.example.html
rate_limited ignore 450 4.7.1 Error: too many connections from 192.0.2.1
rate_limited ignore 450 4.7.1 <a@corp.example>: Recipient address rejected: Policy Rejection- Quota Exceeded; too many messages per hour
message_too_large ignore 552 5.3.4 Message size exceeds fixed limit
network_error soft connect to mx.corp.example[192.0.2.1]:25: Connection refused
network_error soft connect to mx.corp.example[192.0.2.1]:25: No route to host
network_error soft lost connection with mx.corp.example[192.0.2.1] while sending RCPT TO
network_error soft conversation with mx.corp.example[192.0.2.1] timed out while sending message body
network_error soft mail for corp.example loops back to myself
invalid_domain hard Host or domain name not found. Name service error for name=corp.example type=A: Host not found
invalid_domain hard Host or domain name not found. Name service error for name=corp.example type=AAAA: Host not found
invalid_domain hard Domain corp.example does not accept mail (nullMX)
dns_failure soft Host or domain name not found. Name service error for name=corp.example type=MX: Host not found, try again
system_error soft 451 4.3.0 <a@corp.example>: Temporary lookup failure
system_error soft unable to look up host: mail transport unavailable
system_error soft 451 4.3.5 Server configuration problem
protocol_error ignore TLS is required, but was not offered by host mx.corp.example[192.0.2.1]
protocol_error ignore Cannot start TLS: handshake failure
protocol_error ignore Server certificate not trusted
content_rejected block 550 5.7.1 message content rejected because of attachment type
spam_content block 550 5.7.1 Spam message rejected
network_error soft 554 5.4.0 Error: too many hops
mailbox_full soft maildir delivery failed: error writing message: Disk quota exceeded
user_unknown hard unknown user: "nobody"
# Exim
user_unknown hard 550 No Such User Here
user_unknown hard 550-Verification failed for <a@corp.example> 550-No Such User Here 550 Unrouteable recipient
invalid_domain hard all relevant MX records point to non-existent hosts
invalid_domain hard an MX or SRV record indicated no SMTP service
invalid_domain hard Unrouteable address
expired soft retry timeout exceeded
expired soft retry time not reached for any host after a long failure period
relay_denied block 550 relay not permitted
sender_rejected block 550-Verification failed for <b@shop.example> 550-The mail server could not deliver mail. 550 Sender verify failed
sender_rejected block 550 Callback setup failed while verifying <b@shop.example>
mailbox_full soft mailbox is full (MTA-imposed quota exceeded while writing to file)
mailbox_full soft mailbox is full: retry timeout exceeded
content_rejected block 550 maximum allowed line length is 998 octets: message contains bare LF
blocked block 550-192.0.2.1 is listed at bl.spamcop.net (127.0.0.2)
blocked block 550 rejected because 192.0.2.1 is in a black list at zen.spamhaus.org
rate_limited ignore 450 4.7.1 The domain shop.example has exceeded the max emails per hour (120/100) allowed. Message discarded.
spam_content block 550 This message was classified as SPAM and may not be delivered
message_too_large ignore 552 Message size exceeds maximum permitted
auth_failed block 550 [SPF] 192.0.2.1 is not allowed to send mail from shop.example.
system_error soft Child process of local_delivery transport returned 69 (could mean service or program unavailable) from command: /usr/bin/procmail
# Sendmail
user_unknown hard 550 5.1.1 <a@corp.example>... User unknown
invalid_domain hard 550 5.1.2 <a@corp.example>... Host unknown (Name server: corp.example.: host not found)
sender_rejected block 553 5.1.8 <b@shop.example>... Domain of sender address b@shop.example does not exist
sender_rejected block 553 5.5.4 <b>... Domain name required for sender address b
relay_denied block 550 5.7.1 <a@corp.example>... Relaying denied. IP name lookup failed [192.0.2.1]
relay_denied block 550 5.7.1 <a@corp.example>... Relaying denied
mailbox_disabled hard 550 5.2.1 <a@corp.example>... Mailbox disabled for this recipient
network_error soft 554 5.4.6 Too many hops 26 (25 max): from b@shop.example
message_too_large ignore 552 5.3.4 Message is too large; 10485760 bytes max
expired soft 4.4.7 Message could not be delivered for 5 days
system_error soft 451 4.3.0 Mail server temporarily rejected message
network_error soft 421 4.2.0 corp.example: Connection reset by mx.corp.example.
network_error soft 5.4.1 Deferred: Connection timed out with mx.corp.example.
dns_failure soft 4.4.3 Deferred: Name server: mx.corp.example.: host name lookup failure
blocked block 550 5.7.1 Access denied, mail from your IP refused - see http://www.dsbl.example
mailbox_full soft 552 5.2.2 mail.local: user mailbox quota exceeded
protocol_error ignore 503 5.5.1 Need MAIL before RCPT
# qmail and friends
user_unknown hard Sorry, no mailbox here by that name. vpopmail (#5.1.1)
user_unknown hard 511 sorry, no mailbox here by that name (#5.1.1 - chkuser)
user_unknown hard This address no longer accepts mail.
invalid_domain hard Sorry, I couldn't find any host named corp.example. (#5.1.2)
network_error soft Sorry, I wasn't able to establish an SMTP connection. (#4.4.1)
network_error soft Connected to 192.0.2.1 but connection died. (#4.4.2)
expired soft I'm not going to try again; this message has been in the queue too long.
relay_denied block 553 sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)
network_error soft This message is looping: it already has my Delivered-To line. (#5.4.6)
mailbox_full soft The user's email quota is exceeded / user is over quota
mailbox_disabled hard This account has been disabled or suspended: vdelivermail bounced
mailbox_full soft 192.0.2.1 does not like recipient. Remote host said: 552 sorry, the recipient's mailbox is over quota. Giving up on 192.0.2.1.
user_unknown hard 192.0.2.1 does not like recipient. Remote host said: 550 unknown user. Giving up on 192.0.2.1.
message_too_large ignore 552 sorry, that message size exceeds my databytes limit (#5.3.4)
sender_rejected block 553 sorry, your envelope sender is in my badmailfrom list (#5.7.1)
blocked block 451 http://www.spamhaus.org/query/bl?ip=192.0.2.1
# Microsoft
user_unknown hard 550 5.1.10 RESOLVER.ADR.RecipientNotFound; Recipient a@corp.example not found by SMTP address lookup
user_unknown hard 550 5.4.1 Recipient address rejected: Access denied. For more information see https://aka.ms/EXOSmtpErrors [AM1.eurprd.prod.outlook.com]
user_unknown hard 550 5.5.0 Requested action not taken: mailbox unavailable (S2017062302).
user_unknown hard 550 5.1.1 RESOLVER.ADR.ExRecipNotFound; not found
mailbox_full soft 554 5.2.2 STOREDRV.Deliver.Exception:QuotaExceededException.MapiExceptionShutoffQuotaExceeded; Failed to process message
mailbox_full soft 550 5.2.2 mailbox full
message_too_large ignore 550 5.2.3 RESOLVER.RST.RecipSizeLimit; message too large for this recipient
policy_rejected block 550 5.7.1 RESOLVER.RST.NotAuthorized; not authorized
policy_rejected block 550 5.7.133 RESOLVER.RST.SenderNotAuthenticatedForGroup; not authenticated
blocked block 550 5.7.1 Unfortunately, messages from [192.0.2.1] weren't sent. Please contact your Internet service provider since part of their network is on our block list (S3150).
blocked block 550 5.7.511 Access denied, banned sender[192.0.2.1]. To request removal from this list please forward this message to delist@messaging.example
blocked block 451 4.7.650 The mail server [192.0.2.1] has been temporarily rate limited due to IP reputation.
auth_failed block 550 5.7.515 Access denied, sending domain shop.example doesn't meet the required authentication level.
auth_failed block 550 5.7.1 Message rejected: sending domain does not pass DMARC verification
relay_denied block 550 5.7.64 TenantAttribution; Relay Access Denied [AM1.eop.example]
rate_limited ignore 451 4.7.500 Server busy. Please try again later from [192.0.2.1]. (S77719)
rate_limited ignore 432 4.3.2 STOREDRV.Deliver; recipient thread limit exceeded
expired soft 550 4.4.7 QUEUE.Expired; message expired
network_error soft 554 5.4.14 Hop count exceeded - possible mail loop ATTR1
invalid_domain hard 550 5.1.2 The recipient's domain name is incorrect: domain not found
mailbox_disabled hard 550 5.2.1 STOREDRV.Deliver; mailbox disabled
sender_rejected block 550 5.7.501 Access denied, spam abuse detected from b@shop.example
spam_content block 550 5.7.1 Message rejected as spam by Content Filtering.
# Google
user_unknown hard 550-5.1.1 The email account that you tried to reach does not exist. Please try 550-5.1.1 double-checking the recipient's email address for typos or 550-5.1.1 unnecessary spaces. 550 5.1.1 https://support.google.com/mail/?p=NoSuchUser x1 - gsmtp
mailbox_disabled hard 550 5.2.1 The email account that you tried to reach is disabled. https://support.google.com/mail/?p=DisabledUser x1 - gsmtp
mailbox_full soft 552-5.2.2 The email account that you tried to reach is over quota and inactive. https://support.google.com/mail/?p=OverQuotaPerm x1 - gsmtp
rate_limited ignore 450-4.2.1 The user you are trying to contact is receiving mail too quickly. https://support.google.com/mail/?p=ReceivingRate x1 - gsmtp
rate_limited ignore 550-5.2.1 The user you are trying to contact is receiving mail at a rate that prevents additional messages from being delivered. - gsmtp
spam_content block 550-5.7.1 [192.0.2.1 12] Our system has detected that this message is 550-5.7.1 likely unsolicited mail. To reduce the amount of spam sent to Gmail, this message has been blocked. - gsmtp
blocked block 421-4.7.0 [192.0.2.1 15] Our system has detected that this message is 421-4.7.0 suspicious due to the very low reputation of the sending IP address. - gsmtp
auth_failed block 550-5.7.26 Unauthenticated email from shop.example is not accepted due to domain's DMARC policy. - gsmtp
auth_failed block 421-4.7.27 Your email has been rate limited because SPF authentication did not pass. - gsmtp
auth_failed block 550-5.7.25 [192.0.2.1] The IP address sending this message does not have a PTR record setup. - gsmtp
content_rejected block 552-5.7.0 This message was blocked because its content presents a potential security issue. - gsmtp
policy_rejected block 550-5.7.1 The user or domain that you are sending to (or from) has a policy that prohibited the mail that you sent. - gsmtp
policy_rejected block 550 5.7.1 This message violates corp.example email policy. - gcdp x1 - gsmtp
rate_limited ignore 550-5.4.5 Daily user sending quota exceeded. - gsmtp
content_rejected block 550-5.7.1 Our system has detected that this message is not RFC 5322 compliant: 'From' header is missing. - gsmtp
system_error soft 421-4.3.0 Temporary System Problem. Try again later - gsmtp
invalid_domain hard DNS Error: 123 DNS type 'mx' lookup of corp.example responded with code NXDOMAIN Domain name not found: corp.example
sender_rejected block ** Address not found ** Your message wasn't delivered to a@corp.example because the address couldn't be found, or is unable to receive mail. The response was: 501 5.1.8 Sender address rejected
user_unknown hard ** Address not found ** Your message wasn't delivered to a@corp.example because the address couldn't be found, or is unable to receive mail. The response was: 550 5.1.1 no such user
policy_rejected block ** Message blocked ** Your message to a@corp.example has been blocked. See technical details below. The response was: 554 5.7.1 rejected for policy reasons
# Yahoo, AOL, Apple
mailbox_disabled hard 554 30 Sorry, your message to a@mail.example cannot be delivered. This mailbox is disabled (554.30).
user_unknown hard 554 delivery error: dd Not a valid recipient - mta1.mail.example
user_unknown hard 552 1 Requested mail action aborted, mailbox not found
user_unknown hard 550 5.1.1 <a@mail.example>: Email address could not be found, or was misspelled (G8)
mailbox_disabled hard 554 delivery error: dd This account has been disabled or discontinued [#102]. - mta1.mail.example
mailbox_full soft 552 delivery error: dd Sorry, your message to a@mail.example cannot be delivered. This account is over quota.
blocked block 421 4.7.0 [TSS04] Messages from 192.0.2.1 temporarily deferred due to unexpected volume or user complaints - 4.16.55.1
blocked block 553 5.7.1 [BL21] Connections not accepted from IP addresses on Spamhaus PBL
policy_rejected block 554 5.7.9 Message not accepted for policy reasons.
user_unknown hard 550 5.1.1 <a@icloud.example>: user does not exist
policy_rejected block 550 5.7.1 [CS01] Message rejected due to local policy. Please visit https://support.apple.com/en-us/HT204137
rate_limited ignore 421 4.7.1 Messages to a@icloud.example deferred due to excessive volume. Try again later
mailbox_full soft 552 5.2.2 <a@icloud.example>: user is over quota
mailbox_disabled hard 550 5.1.6 <a@icloud.example>: inactive email address
blocked block 550 5.7.1 Your email was rejected due to having a domain present in the Spamhaus DBL -- see https://www.spamhaus.org/dbl/
blocked block 521 5.2.1 :  (HVU:B2) This message was undelivered
# American providers
user_unknown hard 550 5.1.1 Not our Customer
blocked block 554 mx.provider.example provider 192.0.2.1 found on one or more DNSBLs, see http://postmaster.provider.example BL000010
blocked block 421 cmsmtp 192.0.2.1 blocked. AUP#In-1340
sender_rejected block 550 5.1.0 <b@shop.example> sender rejected. Refer to Error Codes section. AUP#CXSNDR
spam_content block 554 5.7.1 [P4] Message blocked due to spam content in the message.
mailbox_disabled hard 550 [SUSPEND] Mailbox currently suspended - Please contact correspondent directly
blocked block 521 192.0.2.1 is blocked. ff-ip4-mx-vip1
auth_failed block 550 5.7.1 Connections not accepted from servers without a valid sender domain
blocked block 553 5.3.0 flph001 DNSBL:ATTRBL 521< 192.0.2.1 >_is_blocked.For assistance forward this error to abuse_rbl@abuse.example
user_unknown hard 550 5.1.1 <a@isp.example> user unknown - recipient does not exist here
rate_limited ignore 452 4.1.1 requested action aborted: try again later - too many recipients
# Gateways
user_unknown hard 550 Invalid Recipient - https://community.mimecast.example/docs/DOC-1369#550 [x1]
policy_rejected block 550 Rejected by header based Anti-Spoofing policy: b@shop.example - https://community.mimecast.example/docs/DOC-1369#550
blocked block 554 Blocked - see https://ipcheck.proofpoint.com/?ip=192.0.2.1
user_unknown hard 550 5.7.1 <a@corp.example>: Recipient address rejected: User email address is marked as invalid.
user_unknown hard 550 #5.1.0 Address rejected.
blocked block 554 Your access to this mail system has been rejected due to the sending MTA's poor reputation. If you believe that this failure is in error, please contact the intended recipient via alternate means.
rate_limited ignore 550 Too many invalid recipients
spam_content block 554 5.7.1 permanent failure for one or more recipients (a@corp.example:blocked)
user_unknown hard 550 permanent failure for one or more recipients (a@corp.example:550 5.1.1 User unknown)
blocked block 554 Service unavailable; Client host [mail.shop.example] blocked by bl.barracudacentral.org
spam_content block 550 High probability of spam
spam_content block 553-Message filtered. Refer to the Troubleshooting page (#5.7.1)
relay_denied block 553-you are trying to use me [server-1.messagelabs.example] as a relay, but I have not been configured to let you
blocked block 550 5.7.1 Mail from 192.0.2.1 blocked using Trend Micro Email Reputation database. Please see <http://www.mail-abuse.example/>
spam_content block 550 5.7.1 Message content rejected due to spam score
# Europe
user_unknown hard 550 Benutzer nicht bekannt/User unknown
user_unknown hard 550 Unknown local part nobody in <nobody@mail.example>
mailbox_full soft 550 Benutzer hat das Speichervolumen ueberschritten. / User has exhausted allowed storage space.
mailbox_full soft 550 Benutzer hat zuviele Mails auf dem Server. / User has too many messages on the server.
mailbox_disabled hard 550 5.2.1 <a@mail.example>... User is inactive
mailbox_full soft 552 5.2.2 Over STORAGE quota
blocked block 554 IP=192.0.2.1 - A problem occurred. (Ask your postmaster for help or to contact tosa@rx.mail.example to clarify.) (BL)
auth_failed block 550 <b@shop.example>: Reject due to SPF policy. The originating IP of the message is not permitted by the domain owner
user_unknown hard 550 5.1.1 Adresse d au moins un destinataire invalide. Invalid recipient. OFR_416 [416]
mailbox_full soft 552 5.1.1 Boite du destinataire pleine. Recipient overquota. OFR_417 [417]
mailbox_disabled hard 550 5.1.1 Boite du destinataire archivee. Archived recipient. OFR_418 [418]
spam_content block 550 5.2.0 Mail rejete. Mail rejected. OFR_506 [506]
rate_limited ignore 421 ME Trop de connexions, veuillez verifier votre configuration. Too many connections, slow down. OFR004_104 [104]
user_unknown hard 550 5.5.0 Utilisateur inconnu. User unknown. LPN105_103
blocked block 550 5.7.1 Mail from [192.0.2.1] rejected, too many spams from your IP, please visit http://postmaster.free.example/
user_unknown hard 550 5.1.1 <a@mail.example> : utente sconosciuto
mailbox_full soft 552 5.2.2 casella piena / mailbox full
user_unknown hard 550 5.1.1 El usuario no existe
mailbox_full soft 552 buzon lleno
user_unknown hard 550 Message was not accepted -- invalid mailbox. Local mailbox a@mail.example is unavailable: user not found
mailbox_disabled hard 550 Message was not accepted -- invalid mailbox. Local mailbox a@mail.example is unavailable: account is disabled
spam_content block 550 spam message rejected. Please visit http://help.mail.example/notspam-support/id?c=x
user_unknown hard 550 5.7.1 No such user!
spam_content block 554 5.7.1 [1] Message rejected under suspicion of SPAM; https://ya.example/1iqn
user_unknown hard 550 5.1.1 konto nie istnieje
user_unknown hard 550 Requested action not taken: user account inexistent
# Asia
user_unknown hard 550 Unknown user a@docomo.example
user_unknown hard 550 Invalid recipient: <a@softbank.example>
user_unknown hard 550 <a@ezweb.example>: User unknown
user_unknown hard 550 Mailbox not found. http://service.mail.qq.com/cgi-bin/help?subtype=1&&id=20022
rate_limited ignore 550 Mailbox unavailable or access denied [192.0.2.1]. http://service.mail.qq.com/cgi-bin/help
rate_limited ignore 550 Sender frequency limited http://service.mail.qq.com/cgi-bin/help
spam_content block 550 Mail content denied. http://service.mail.qq.com/cgi-bin/help
recipient_refused soft 550 Mail is rejected by recipients http://service.mail.qq.com/cgi-bin/help
spam_content block 550 Suspected spam sender
spam_content block 554 DT:SPM 163 mx1,abc
auth_failed block 553 MI:SPF 163 mx7,abc
rate_limited ignore 451 RP:TRC 163 mx4,abc
blocked block 554 HL:IPB 163 mx2,abc
blocked block 450 DT:RBL 163 mx2,abc
rate_limited ignore 421 HL:ICC 163 mx2,abc
mailbox_disabled hard 550 User suspended
mailbox_disabled hard 550 User locked
user_unknown hard 550 User not found: a@163.example
user_unknown hard 554 RCPT (a@aliyun.example) dosn't exist
mailbox_full soft 552 Quota exceeded or service disabled. [x1]
sender_rejected block 553 Requested action not taken: NULL sender is not allowed
spam_content block 552 message rejected by anti-spam engine
# Others
recipient_refused soft 550 5.1.1 RCP-P2 http://postmaster.social.example/response_codes#rcp Refused due to recipient preferences
policy_rejected block 554 5.7.1 POL-P4 http://postmaster.social.example/response_codes#pol Message refused
rate_limited ignore 450 4.2.1 <a@rack.example>: Mailbox received too much email in a short period of time (G30)
auth_failed block 450 4.7.1 Client host 192.0.2.1 has no PTR record (G1F)
spam_content block 552 5.2.0 This message has been rejected due to content judged to be spam by the internet community IB212
user_unknown hard 550 5.1.1 User nobody (nobody@corp.example) not listed in Domino Directory
user_unknown hard 550 nobody@corp.example... No such user
invalid_domain hard 550 No route found to domain corp.example from server MAIL1/Corp
mailbox_full soft 522 5.7.1 recipient over quota
suppressed ignore 550 5.1.1 Amazon SES has suppressed sending to this address because it has a recent history of bouncing as an invalid address.
content_rejected block 554 Transaction failed: Duplicate header 'Subject'.
sender_rejected block 554 Message rejected: Email address is not verified. The following identities failed the check in region EU: b@shop.example
expired soft 554 4.4.7 Message expired: unable to deliver in 840 minutes.<451 4.3.0 temporary error>
user_unknown hard 5.1.0 - Unknown address error 550-'No such recipient here' (delivery attempts: 0)
user_unknown hard 550 5.1.1 sorry, nobody is not a valid user on this system
user_unknown hard 550 5.1.1 The user nobody does not exist on this server
user_unknown hard 550 Recipient not found. <http://x.co/irbounce>
mailbox_disabled hard 550 5.1.1 Recipient's account has been deactivated
mailbox_full soft 550 5.7.1 The recipient's mailbox quota has been exceeded
system_error soft 452 4.3.1 Insufficient system resources
system_error soft 451 4.3.2 Internal server error
policy_rejected block 550 5.7.1 Delivery not authorized, message refused
policy_rejected block 550 5.7.0 Local Policy Violation
policy_rejected block 550 Administrative prohibition
content_rejected block 550 5.7.1 Your message contains a virus: Eicar-Test
content_rejected block 552 5.7.0 File attachment type not allowed
invalid_address hard 501 5.1.3 Bad recipient address syntax
invalid_address hard 553 5.1.3 <a..b@corp.example>... User address contains invalid characters
protocol_error ignore 530 5.7.0 Must issue a STARTTLS command first
protocol_error ignore 500 5.5.1 Unrecognized command
protocol_error ignore 501 5.5.4 Syntax error in parameters or arguments
undetermined undetermined 550 Administratively deferred moonlight
recipient_refused soft 550 5.7.1 The recipient does not want to receive mail from you: sender is on the user's personal blacklist
user_unknown hard 550 5.2.1 <a@corp.example>... User Unknown
user_unknown hard 550 5.2.0 a@corp.example... No such user here
mailbox_full soft 552 5.1.1 Not enough disk space
user_unknown hard 551 not our customer
user_unknown hard 550 5.1.6 recipient no longer on server: a@corp.example
# Generic wordings
user_unknown hard 550 5.1.1 unknown or illegal alias: nobody@corp.example
user_unknown hard 550 <nobody@corp.example> is not a valid mailbox
user_unknown hard 550 5.1.1 <nobody@corp.example>: Email address could not be found, or was misspelled (G8)
user_unknown hard 550 MAILBOX NOT FOUND
user_unknown hard 550 5.1.1 Mailbox does not exist - invalid address
user_unknown hard 554 5.1.1 <nobody@corp.example>: Recipient address rejected: undeliverable address: User unknown in virtual alias table
user_unknown hard 550 Address Rejected - nobody@corp.example (in reply to RCPT TO command)
user_unknown hard 550 5.1.1 Recipient Address Rejected
user_unknown hard 550 no mailbox by that name is currently available
user_unknown hard 550 There is no user nobody here
user_unknown hard 553 nobody@corp.example: no such mailbox - check recipient address
user_unknown hard 550 That recipient does not exist on this server
user_unknown hard 550 5.1.1 nobody@corp.example is not a valid email address here
user_unknown hard 511 5.1.1 unknown address or alias: nobody@corp.example
user_unknown hard 550 5.1.1 ... account not available
user_unknown hard 551 5.7.1 Account not available
user_unknown hard 550 This user does not exist
user_unknown hard 550 5.1.1 no users found for this address
user_unknown hard 554 No recipients accepted: user unknown
user_unknown hard 550 nobody@corp.example isn't a user here
user_unknown hard 550 5.1.1 Recipient is not local, no such person
user_unknown hard 550 5.0.0 Not our Customer
user_unknown hard 550-5.1.1 user no longer exists
user_unknown hard The following recipients could not be delivered: nobody@corp.example: User not known
user_unknown hard Recipient's mailbox nobody was not found
user_unknown hard smtp; 550 Mailbox not available
user_unknown hard 550 5.1.1 The recipient's e-mail address was not found in the recipient's e-mail system.
user_unknown hard X-Postfix; unknown user: "nobody"
user_unknown hard 550 invalid DNS MX or A/AAAA resource record for recipient? user unknown
user_unknown hard RCPT TO:<nobody@corp.example> 550 5.1.1 Requested action not taken: no such user here
user_unknown hard 550-Mailbox unknown. Either there is no mailbox associated with this 550-name or you do not have authorization to see it. 550 5.1.1 User unknown
user_unknown hard LMTP error after RCPT TO:<nobody@corp.example>: 550 5.1.1 <nobody@corp.example> User doesn't exist: nobody@corp.example
user_unknown hard 550 5.7.17 Mailbox owner has changed
user_unknown hard 550 User has no mailbox here
user_unknown hard 550 5.1.1 mail for nobody is refused: no such account
user_unknown hard 553 5.3.0 nobody... User not listed in public name & address book
user_unknown hard 550 Sorry, that user is no longer with the company
mailbox_disabled hard 550 5.2.1 The mailbox of this user is temporarily disabled
mailbox_disabled hard 550 account inactive: due to extended inactivity new mail is not currently being accepted for this mailbox.
mailbox_disabled hard 550 5.7.1 user locked
mailbox_disabled hard 554 The email account has been deactivated by the administrator
mailbox_disabled hard 550 mailbox frozen
mailbox_disabled hard 550 5.2.1 This mailbox has been blocked due to inactivity
mailbox_disabled hard 550 Account Closed
mailbox_disabled hard 550 Access to this account is disabled
mailbox_disabled hard 550 Email account suspended, contact your provider
mailbox_disabled hard 550 5.7.1 Recipient is terminated
mailbox_full soft 550 5.2.2 user mailbox exceeds allowed size
mailbox_full soft 552 5.2.2 This message is larger than the current system limit or the recipient's mailbox is full. Create a shorter message body or remove attachments and try sending it again.
mailbox_full soft 550 5.1.1 mailbox for nobody@corp.example is full
mailbox_full soft 452 4.2.2 Over quota
mailbox_full soft 552 Requested mail action aborted: exceeded storage allocation
mailbox_full soft 550 Mail quota exceeded
mailbox_full soft 554 5.2.2 Recipient storage limit reached
mailbox_full soft 422 The recipient's mailbox has exceeded its storage limit
mailbox_full soft 550 message would exceed recipient's quota
mailbox_full soft 5.7.1 <nobody@corp.example>: Quota exceeded (mailbox for user is full)
mailbox_full soft procmail: Quota exceeded while writing "/var/mail/nobody"
mailbox_full soft 552 No room in mailbox
mailbox_full soft 450 4.2.2 <a@corp.example>: user is overquota
blocked block 550 5.7.1 Rejected: 192.0.2.1 listed at sbl-xbl.spamhaus.org
blocked block 554 5.7.1 Your IP address is listed in our local blacklist
blocked block 550 Access denied - Invalid HELO name (See RFC2821 4.1.1.1)
blocked block 554 refused by our blacklist 192.0.2.1
blocked block 550 5.7.1 Mail from 192.0.2.1 has been refused because of a poor reputation score
blocked block 421 4.7.1 Connection refused - too much spam from your host
blocked block 554 Denied [SenderBase] (Mode: normal)
blocked block 550 5.1.1 Your host has been blacklisted
blocked block 550 5.1.1 rejected: see https://www.spamhaus.org/query/bl?ip=192.0.2.1
blocked block 554-rejected, message found on spam-blacklist dnsbl
blocked block 550 mail not accepted from blacklisted IP address [192.0.2.1]
blocked block 554 5.7.1 You are not allowed to connect.
blocked block 554 sorry, your ip is dynamic; use your provider's relay
blocked block 554 No SMTP service here: your IP address is in a dynamic range
spam_content block 550 5.1.1 message looks like spam
spam_content block 554 5.7.1 The message was rejected because it contains prohibited virus or spam content
spam_content block 550 Rejected for bad content: SURBL listed URL
spam_content block 550 5.2.1 Content rejected as spam
spam_content block 554 mail rejected by SpamAssassin, score 14.2
spam_content block 550 5.7.1 Unsolicited bulk mail is not accepted here
spam_content block 554 Message refused by DSPAM
spam_content block 550 5.7.350 Remote server returned message detected as spam -> 550 5.7.1 rejected
auth_failed block 550 5.1.0 Rejected: domain has DMARC policy reject
auth_failed block 550 5.1.1 SPF unauthorized mail is prohibited.
auth_failed block 554 5.7.0 SPF record does not designate 192.0.2.1 as permitted sender
auth_failed block 550 DKIM check failed
auth_failed block 553 Mail from shop.example not allowed - 5.7.1 [BL] failed sender authentication
auth_failed block 554 IP name lookup failed for 192.0.2.1
auth_failed block 450 4.7.25 Client host rejected: cannot find your hostname
auth_failed block 550 5.7.1 Message failed DMARC: aligned DKIM and SPF required
relay_denied block 550 5.1.1 We do not relay mail for that domain
relay_denied block 550 authentication required for relay
relay_denied block 553 5.7.1 Sorry, that domain isn't in my list of allowed rcpthosts; no valid cert for gatewaying
relay_denied block 550 5.1.2 relay not permitted: domain not found here
relay_denied block 550 mail.corp.example: this is not an open relay; relaying to nobody@other.example prohibited
sender_rejected block 550 5.1.1 Sender domain does not exist
sender_rejected block 550 5.7.1 your e-mail address is not on this list of allowed senders
sender_rejected block 553 5.1.3 invalid address syntax in MAIL FROM
sender_rejected block 550 Sender has no A, AAAA, or MX DNS records
sender_rejected block 550 5.1.7 <b@shop.example>: Invalid return path
sender_rejected block 550 5.7.1 The sender does not exist
sender_rejected block 550 unable to verify sender address: mailbox not found
sender_rejected block 550 5.1.0 The mailbox of the sender is unknown
sender_rejected block 554 You are not a member of this group; the message was not posted
rate_limited ignore 550 5.1.1 Too many recipients in one hour
rate_limited ignore 450 4.1.1 <a@corp.example> Recipient address rejected: too many errors from your host, try later
rate_limited ignore 451 Temporarily deferred: your server is sending too fast
rate_limited ignore 421 too many messages in this connection
rate_limited ignore 550 5.7.1 Sending limit for this hour reached
rate_limited ignore 554 5.7.0 Too many concurrent connections from your IP
rate_limited ignore 421 4.7.0 Maximum number of connections from this IP exceeded
greylisted ignore 451 4.7.1 Please try again later (TEMPORARY: greylisted for 300 seconds)
greylisted ignore 450 4.7.1 You've been graylisted
policy_rejected block 550 5.1.1 Delivery to this recipient prohibited by policy
policy_rejected block 550 5.7.1 rejected due to policy violation
policy_rejected block 550 Message rejected by corporate rules
policy_rejected block 554 5.7.1 Security policy does not allow this message
policy_rejected block 550 5.2.1 Message not delivered for policy reasons
content_rejected block 554 5.6.0 Message contains invalid header
content_rejected block 550 5.7.1 Executable attachments prohibited
content_rejected block 552 5.2.0 Virus infected message rejected
content_rejected block 550 5.6.0 Lone CR or LF in body
content_rejected block 554 5.6.1 Eight bit data not allowed in header
message_too_large ignore 552 5.1.1 Message too big for this mailbox
message_too_large ignore 552 5.3.4 Error: message file too big
message_too_large ignore 523 the message size exceeds the recipient's size limit
message_too_large ignore 550 5.2.3 Message length exceeds limit 20 MB
system_error soft 451 4.3.0 Error: queue file write error
system_error soft 550 5.3.0 LDA failed: No such file or directory
system_error soft 554 5.3.0 unknown mailer error 2
system_error soft Command died with status 127: "/usr/local/bin/filter"
system_error soft 451 4.3.2 Please try again later
system_error soft 452 4.3.1 Out of disk space, try later
system_error soft 421 4.3.2 Service not available
system_error soft 550 5.2.0 STOREDRV.Deliver: The Microsoft Exchange Information Store service reported an error.
system_error soft 451 Could not load DRD for domain corp.example
system_error soft 451 qq temporary problem (#4.3.0)
network_error soft Remote host closed the connection unexpectedly
network_error soft 441 4.4.1 Error encountered while communicating with primary target IP address: "Failed to connect. Winsock error code: 10061"
network_error soft Could not deliver: no answer from host
network_error soft 4.4.2 mx.corp.example timed out while receiving the initial server greeting
network_error soft 5.4.0 mail forwarding loop for nobody@corp.example
network_error soft 554 5.4.12 SMTP; Hop count exceeded - possible mail loop detected on message id
dns_failure soft 451 4.4.0 DNS query failed
dns_failure soft 4.4.3 temporary name server failure, SERVFAIL
invalid_domain hard 550 5.1.2 Domain not found: corp.example
invalid_domain hard 5.4.4 Unable to route to domain. No MX or A records
invalid_domain hard 556 5.1.10 Recipient address has null MX
invalid_domain hard 521 5.3.2 this host does not accept mail
invalid_domain hard The domain name in the email address doesn't exist
invalid_domain hard No such domain: corp.example
invalid_domain hard Illegal host/domain name found: nope.example
expired soft Message could not be delivered within 5 days; giving up
expired soft 4.4.7 delivery time expired
expired soft 5.4.7 Delivery expired (message too old) 'timeout'
expired soft delivery retry timeout exceeded
recipient_refused soft 550 5.2.0 Recipient has blocked your address
recipient_refused soft 550 5.7.1 recipient refuses to accept your mail
protocol_error ignore 454 4.7.0 TLS not available due to local problem
protocol_error ignore 501 5.5.2 syntax error in command EHLO
protocol_error ignore 503 Bad sequence of commands
invalid_address hard 501 <nobody@>: malformed address: missing domain
invalid_address hard 553 5.1.3 unable to parse recipient address: illegal local part
# Notices for people, old and rare systems
user_unknown hard This is a permanent error. The following address(es) failed: nobody@corp.example unknown local-part "nobody" in domain "corp.example"
user_unknown hard Recipient: <nobody@corp.example> Reason: 5.1.1 <nobody@corp.example>... User unknown
user_unknown hard Your message cannot be delivered to the following recipients: Recipient address: nobody@corp.example Reason: unknown or illegal alias: nobody@corp.example
user_unknown hard Could not deliver the message to the following recipient(s): nobody: No such mailbox
user_unknown hard We could not deliver your mail: 'nobody@corp.example' on 3/1/2024 The recipient name is not recognized
user_unknown hard The e-mail account does not exist at the organization this message was sent to. Check the e-mail address, or contact the recipient directly to find out the correct address.
user_unknown hard User nobody (nobody@corp.example) not listed in public Name & Address Book
user_unknown hard Failed to deliver to 'nobody@corp.example' LOCAL module(account nobody) reports: account is not found
user_unknown hard Failed to deliver to 'nobody@corp.example' SMTP module(domain corp.example) reports: corp.example: host corp.example says: 550 5.1.1 user unknown
user_unknown hard <nobody@corp.example>: user does not exist
user_unknown hard Invalid final delivery user: nobody
user_unknown hard Requested action not taken: mailbox name not found
user_unknown hard delivery to nobody@corp.example failed: 5.1.1 no such person at this address
user_unknown hard Unknown address error 550-'5.1.1 <nobody@corp.example>: Recipient address rejected: User unknown'
user_unknown hard #< #5.1.1 smtp; 550 5.1.1 RESOLVER.ADR.RecipNotFound; not found> #SMTP#
user_unknown hard 550 5.1.1 <nobody@corp.example> recipient rejected: no mailbox
user_unknown hard Der Empfänger nobody@corp.example ist unbekannt. 550 5.1.1 unbekannt
user_unknown hard 550 L'utilisateur n'existe pas
user_unknown hard 550 Destinatário inexistente
user_unknown hard 550 Bruker ukjent / user unknown
user_unknown hard 550 5.1.1 Použivatel nenalezen - user not found
user_unknown hard 550 Adressat unbekannt: nobody
user_unknown hard 550 ユーザーが見つかりません
user_unknown hard 以下のメールアドレスは存在しません
user_unknown hard 您的邮件被退回: 该用户不存在
mailbox_full soft The recipient's mailbox is full and can't accept messages now. Please try resending your message later, or contact the recipient directly.
mailbox_full soft Your message wasn't delivered because the recipient's mailbox is full or getting too much mail right now.
mailbox_full soft Failed to deliver to 'nobody@corp.example' mail box size limit exceeded account storage is full
mailbox_full soft user's disk quota exceeded: nobody
mailbox_full soft The size of the mailbox of the recipient would exceed its limit
mailbox_full soft As their mailbox is full.
mailbox_full soft 容量不足のためメールボックスに配信できません メールボックスがいっぱいです
mailbox_full soft 收件人邮箱空间不足
mailbox_full soft 552 5.2.2 <nobody@corp.example>: Speicherplatz erschöpft, quota exceeded
mailbox_disabled hard The account you are trying to reach has been suspended. Contact their administrator.
mailbox_disabled hard 550 Mailbox is inactive
mailbox_disabled hard 550 5.1.1 The email account is closed
mailbox_disabled hard 553 Sorry, your intended recipient's account is not active
mailbox_disabled hard 550 5.7.1 nobody@corp.example: account expired
message_too_large ignore Your message exceeds the maximum size the recipient's system allows. Try to reduce the size of the message, for example by removing attachments.
message_too_large ignore This message is larger than the current system limit. Create a shorter message body or remove attachments and try sending it again.
message_too_large ignore Mail size limit exceeded
message_too_large ignore 554 5.3.4 message exceeds maximum size of 20971520 bytes
content_rejected block The attachment was rejected: file type .zip is not permitted
content_rejected block MailScanner: virus detected in your message
content_rejected block BANNED CONTENTS ALERT: your message to a@corp.example contains application/x-msdownload,.exe
content_rejected block 554 5.7.1 Rejected attachment: extension vbs
spam_content block Your message was considered unsolicited bulk e-mail (UBE).
spam_content block Message rejected. This message appears to be spam.
spam_content block 554 Your mail was rejected by our content filter
spam_content block 550 Your message was rejected. It was identified as junk mail.
policy_rejected block Your message was rejected by the organization's policy rules. Contact the admin.
policy_rejected block Your message can't be delivered because delivery to this address is restricted.
policy_rejected block You do not have permission to send to this recipient. For assistance, contact your system administrator.
sender_rejected block You are not a member of this mailing list
sender_rejected block Post to this list is only allowed to members. Your mail was not distributed.
sender_rejected block 550 5.7.1 <b@shop.example>: Sender not authorized for this list
expired soft The message could not be delivered because the destination server did not respond within the retry period
expired soft Message has been in the queue for 5 days; no more attempts will be made
expired soft Delivery to the following recipients has been delayed. THIS IS A WARNING MESSAGE ONLY. YOU DO NOT NEED TO RESEND YOUR MESSAGE.
expired soft Delivery failed after 30 attempts: nobody@corp.example
expired soft Unable to deliver message after multiple retries, giving up.
network_error soft SMTP connection to mx.corp.example failed: Connection refused
network_error soft The recipient server did not accept our requests to connect. [corp.example 192.0.2.1: socket error]
network_error soft Smtp - Cannot connect to server: host unreachable
network_error soft TCP/IP connection could not be established, host is down
network_error soft Network error on destination MXs
network_error soft A mail loop was detected for this message
network_error soft Failed to deliver to 'nobody@corp.example' SMTP module reports: connection with mx.corp.example is broken
dns_failure soft DNS server failure while looking up corp.example; will be retried
dns_failure soft corp.example: host name lookup failure
invalid_domain hard The domain corp.example could not be found: unknown host
invalid_domain hard Host corp.example not found: the domain has no MX or A records
invalid_domain hard Unknown host: corp.example
invalid_domain hard As the remote domain doesnt exist.
invalid_domain hard Your message wasn't delivered to nobody@corp.example because the domain corp.example couldn't be found.
system_error soft An internal error occurred at the destination mail system
system_error soft The mail system of the recipient is temporarily unavailable
system_error soft pipe to |/usr/local/bin/handler generated by nobody@corp.example: Child process returned 75
system_error soft local delivery failed: could not open mailbox file
relay_denied block The recipient's domain is not in the list of relay domains; relaying denied
relay_denied block 550 5.7.1 This system is not configured to relay mail from [192.0.2.1] to <nobody@corp.example>
relay_denied block 550 Relaying mail to nobody@corp.example is not allowed
auth_failed block The message was rejected since the sender failed SPF or DKIM authentication
auth_failed block 550 5.7.1 rejected: no valid reverse DNS (PTR) for your server
auth_failed block 554 5.7.5 Permanent error evaluating DMARC policy
auth_failed block 550 5.7.509 Access denied, sending domain shop.example does not pass DMARC verification and has a DMARC policy of reject.
blocked block The server's IP address is on a block list. Ask your administrator to request delisting.
blocked block 550 5.7.1 Connection from 192.0.2.1 rejected - DNSBL: b.barracudacentral.org
blocked block 554 5.7.1 mail server IP has a bad reputation
blocked block 550 We don't accept mail from spammers. Your IP is banned.
blocked block 553 5.7.1 192.0.2.1 blacklisted at recent.spam.dnsbl.sorbs.net
rate_limited ignore Your message was throttled because you sent too many messages in a short time.
rate_limited ignore 450 4.2.2 The recipient has exceeded the rate of incoming messages
rate_limited ignore 451 4.7.1 too many recipients, try again later
undetermined undetermined Message could not be delivered
undetermined undetermined 550 5.0.0 Sorry
user_unknown hard Hi. This is the qmail-send program. I'm afraid I wasn't able to deliver your message. This is a permanent error; I've given up. Sorry it didn't work out. <nobody@corp.example>: This address no longer accepts mail.
user_unknown hard I'm sorry to have to inform you that your message could not be delivered to one or more recipients. <nobody@corp.example>: unknown user: "nobody"
system_error soft I'm sorry to have to inform you that your message could not be delivered. <nobody@corp.example>: Command died with status 1: "/usr/bin/vacation"
# Regional providers, hosters, gateways
mailbox_full soft 552 5.2.2 Przepelniona skrzynka odbiorcza (mailbox full)
user_unknown hard 550 5.1.1 Nieznany uzytkownik
mailbox_disabled hard 550 5.2.1 konto zablokowane
mailbox_full soft 550 RCPT ERROR. Mailbox is full.
mailbox_disabled hard 550 RCPT ERROR. Mailbox disabled
mailbox_full soft The number of messages in recipient's mailbox exceeded the local limit.
policy_rejected block 541 5.4.1 Mail rejected by destination domain
rate_limited ignore 550 5.4.6 Unusual sending activity detected. Please try after sometime
relay_denied block 553 Relaying disallowed as b@shop.example
policy_rejected block 554 5.2.3 MailPolicy violation Error delivering to mailboxes
user_unknown hard 550 No such user - psmtp
spam_content block 554 Transaction Failed Spam Message not queued.
policy_rejected block 571 Message Refused
user_unknown hard 550 <nobody@corp.example>, Recipient unknown
user_unknown hard 550 Requested action not taken: mailbox unavailable or not local
policy_rejected block 530 SMTP authentication is required.
policy_rejected block 550 Delivery is not allowed to this address.
user_unknown hard 550 nobody@corp.example unknown user account
mailbox_full soft nobody@corp.example account is full (quota exceeded)
user_unknown hard 550 5.1.1 User doesn't exist: nobody@corp.example
mailbox_full soft 552 5.2.2 <nobody@corp.example> Quota exceeded (mailbox for user is full)
system_error soft 451 4.2.0 <nobody@corp.example> Internal error occurred. Refer to server log for more information.
mailbox_full soft maildrop: maildir over quota.
user_unknown hard Invalid user specified.
blocked block 554 mx.corp.example Your connection was refused: 192.0.2.1 has a poor reputation
policy_rejected block 535 5.7.8 Authentication not allowed on IBSMTP Servers. IB401
user_unknown hard 550 5.1.1 <nobody@corp.example>: Recipient address rejected: user lookup failed
blocked block 550 5.7.1 Service unavailable; Helo command blocked using dbl.spamhaus.org
auth_failed block 550 5.7.1 Email rejected per SPF policy
auth_failed block 550 5.7.0 Email rejected per DMARC policy for shop.example
blocked block 450 4.7.1 <unknown[192.0.2.1]>: Client host rejected: Too many spam reports
auth_failed block 450 4.7.1 <a@b.example>: Sender address rejected: SPF fail
content_rejected block 550 5.7.1 This message contains malware (Win.Trojan.Agent)
content_rejected block 554 5.7.1 Message contains forbidden file extension
content_rejected block 550 Missing Message-ID header
content_rejected block 554 5.6.7 header contains 8-bit characters
message_too_large ignore 552 Message exceeds local size limit.
message_too_large ignore 5.3.4 Mail exceeds the size limit of the server
greylisted ignore 450 4.2.0 Greylisting in effect, please come back later
greylisted ignore 451 DT:GRY please try again (greylist)
rate_limited ignore 450 4.7.1 Rate limit exceeded for your IP, slow down
rate_limited ignore 421 4.7.0 Too many messages from your domain; deferred
rate_limited ignore 452 Too many recipients received this hour
blocked block 421 4.7.0 IP not in whitelist for RCPT domain, closing connection.
protocol_error ignore 421 4.7.0 TLS required for RCPT domain, closing connection.
system_error soft 421 4.7.0 Temporary System Problem. Try again later.
system_error soft 450 4.3.2 Please try again later
system_error soft 550 5.3.5 local configuration error
network_error soft 550 5.4.6 routing loop detected
network_error soft 5.4.1 No answer from host
dns_failure soft 451 4.4.3 Domain lookup failed temporarily
invalid_domain hard 5.1.2 - Bad destination host 'DNS Hard Error looking up corp.example (MX): NXDomain'
dns_failure soft 4.1.2 - Bad destination host 'DNS Soft Error looking up corp.example (MX) while asking 192.0.2.53. Error was: unable to reach nameserver'
expired soft 5.4.7 - Delivery expired (message too old) 'connection timed out'
network_error soft 4.3.2 - Not accepting messages at this time 'connection refused'
system_error soft 5.3.0 - Other mail system problem '554 - internal failure'
user_unknown hard 5.1.1 - Bad destination email address 'reject'
user_unknown hard 5.1.0 - Unknown address error 550-'unknown user'
recipient_refused soft 550 You have been blocked by the recipient
recipient_refused soft 550 5.7.1 Your message was rejected by the user's mail filter rules
recipient_refused soft 5.2.0 recipient address does not accept mail from this sender
user_unknown hard 550 5.1.1 nobody@corp.example: recipient unknown; please contact the sender's postmaster about spam
user_unknown hard 550-The address does not exist. 550 If you believe this is a spam filter error contact postmaster
suppressed ignore 550 5.1.1 Recipient is on our suppression list, message not sent
suppressed ignore Message not sent: address was previously bounced (suppressed)
user_unknown hard 550 5.1.1 error: invalid recipient nobody@corp.example rejected by remote server
user_unknown hard The account you sent to cannot be found
mailbox_disabled hard The user's account was terminated
mailbox_disabled hard 550 5.1.1 Mailbox deactivated by owner
sender_rejected block 550 5.7.1 Sender address blocked by organisation: b@shop.example
sender_rejected block 553 sender domain shop.example does not exist
sender_rejected block 501 5.5.4 Invalid Address in MAIL FROM (b@shop.example)
sender_rejected block 550 5.4.1 [shop.example]: sender domain has no MX
blocked block 550 5.7.1 Sorry your message was blocked: your domain is on our blacklist
blocked block 554 Your mail could not be delivered because your IP has been flagged by our system
policy_rejected block 550 5.7.1 Transaction failed because of policy of the recipient's organisation
policy_rejected block 554 5.7.1 Denied
policy_rejected block 550 rejected by rule
undetermined undetermined 550 5.0.0 On hold
# Transcripts and terse replies
user_unknown hard 550 5.1.1 <nobody@corp.example>... User unknown 503 5.0.0 Need RCPT (recipient) Final-Log-ID: 3/1
user_unknown hard <<< 550 5.1.1 unknown or illegal alias: nobody@corp.example
user_unknown hard >>> RCPT TO:<nobody@corp.example> <<< 550 <nobody@corp.example>, user not known
user_unknown hard ----- Transcript of session follows ----- 550 nobody... User unknown
user_unknown hard nobody@corp.example SMTP error from remote mailer after RCPT TO:<nobody@corp.example>: host mx.corp.example [192.0.2.1]: 550 5.1.1 unknown user
user_unknown hard nobody@corp.example: 550 5.1.1 <nobody@corp.example>: no such user or alias
user_unknown hard The error was: "550 5.1.1 Recipient not found"
user_unknown hard smtp;550 Invalid recipient nobody@corp.example (#5.1.1)
user_unknown hard 5.1.1 The email account that you tried to reach does not exist
user_unknown hard LOCAL; 550 mailbox not found
user_unknown hard No such user (nobody) -ERR 550
user_unknown hard 550 Invalid User - nobody@corp.example
user_unknown hard 550 5.1.1 Recipient address rejected: {Gateway}: unknown recipient
user_unknown hard 550 RCPT <nobody@corp.example> Mailbox not found
user_unknown hard 550-5.1.1 <nobody@corp.example>: Recipient address rejected: mailbox does not exist 550 5.1.1 see help page
user_unknown hard 550 MAILBOX UNAVAILABLE
user_unknown hard smtp; 550 5.1.1 <nobody@corp.example>: Recipient address rejected: corp.example
user_unknown hard 550 5.1.1 RECIPIENT NOT FOUND
user_unknown hard 550 5.1.0 <nobody@corp.example> User doesn't exist in our system
user_unknown hard 553 sorry, this recipient is not in my validrcptto list (#5.7.1)
user_unknown hard 550 5.1.1 <nobody@corp.example> Invalid mailbox
user_unknown hard 550 cuda_nsu: Recipient does not exist
user_unknown hard 550 5.1.1 mailbox "nobody" does not exist
user_unknown hard 550 5.1.1 Addressee unknown, relay=[192.0.2.1]
user_unknown hard 550 unknown recipient (state 14)
user_unknown hard 550 5.4.300 Message expired -> 550 5.1.10 recipient not found
user_unknown hard Unable to deliver message to <nobody@corp.example>: invalid mailbox
user_unknown hard 550 5.1.1 no mailbox here
user_unknown hard 550 Usuario desconocido
user_unknown hard The user you are sending to is not registered here: 551
mailbox_full soft 552 5.2.2 <a@corp.example>... Mailbox Full
mailbox_full soft Error: mailbox of a@corp.example exceeded its quota, 4.2.2
mailbox_full soft 550 <a@corp.example>: quota exceed
mailbox_full soft 552 Message size exceeds user's remaining quota
mailbox_full soft 552 5.2.2 Mail box full (#5.2.2)
mailbox_full soft 450 4.2.2 user mailbox is full
mailbox_full soft 5.2.2 - Mailbox full 'the mailbox storage is exceeded'
mailbox_full soft 550 User's mailbox disk quota is full
mailbox_full soft 554 The recipient has exceeded their storage allocation
mailbox_disabled hard 550 5.7.1 <a@corp.example>: Recipient address rejected: This mailbox has been disabled
mailbox_disabled hard 550 a@corp.example account has been suspended
mailbox_disabled hard 554 5.2.1 User disabled by administrator
mailbox_disabled hard 550 the recipient mailbox is locked
mailbox_disabled hard 550 5.2.1 Mailbox not accepting messages: inactive
spam_content block 554 5.7.1 The message from (<b@shop.example>) with the subject of (Sale) matches a profile the Internet community may consider spam. Please revise your message before resending.
spam_content block 550 Message was detected as spam (score 9)
spam_content block 554 5.7.1 Blocked by spam filter
spam_content block 550 Mail appears to be unsolicited
spam_content block 554 rejected due to spam content
spam_content block 571 Delivery not authorized, message refused - spam
spam_content block 550 URL in message listed in SURBL
blocked block 550 5.7.1 192.0.2.1 has been blocked by the recipient's mail server
blocked block 554 5.7.1 Service unavailable; Client host [192.0.2.1] blocked using dnsbl.corp.example
blocked block 550 5.7.1 Message rejected. Your IP is in a black list
blocked block 521 Blocked. Your IP was found in spam list
blocked block 554 5.1.8 Access denied - IP in DUL
blocked block 550 DY-001 Unfortunately, messages from 192.0.2.1 weren't sent. We generally do not accept email from dynamic IPs.
blocked block 550 SC-001 Mail rejected for policy reasons. Reasons for rejection may be related to content with spam-like characteristics or IP/domain reputation.
policy_rejected block 550 5.7.1 Rejected by our security gateway
policy_rejected block 550 5.7.1 This message is restricted by policy
policy_rejected block 550 message administratively rejected
policy_rejected block 5.7.1 Message rejected by recipient gateway policy
policy_rejected block 451 4.7.1 Rejected for policy reasons, contact postmaster
auth_failed block 550 permission denied: SPF record of shop.example forbids 192.0.2.1
auth_failed block 550 5.7.23 rejected: SPF validation failed
auth_failed block 521 Reverse DNS lookup failed for 192.0.2.1
auth_failed block 421 PTR record for host not found
relay_denied block 550 not relaying
relay_denied block 554 5.7.1 nobody@corp.example: Relaying not permitted
relay_denied block 550 you must check for new mail before sending mail; relay denied
relay_denied block 571 We do not relay
content_rejected block 550 Mail contains illegal attachment
content_rejected block 550 5.6.0 Corrupt message
content_rejected block 553 5.6.3 Blank subject not allowed
expired soft 5.4.7 timeout: message could not be delivered for over 3 days
expired soft The message was undeliverable. All servers failed to accept it: queue time exceeded
network_error soft 4.4.1 connect to mx.corp.example: Operation timed out
network_error soft 450 4.4.1 [192.0.2.1] connection timed out; last error
network_error soft SMTP connect failed
network_error soft couldn't connect to mx.corp.example: errno 111
network_error soft 5.4.6 loop detected
invalid_domain hard 5.1.2 unknown destination host
invalid_domain hard domain has no mail exchangers
invalid_domain hard The destination domain does not exist
invalid_domain hard 550 5.1.2 Invalid domain name in recipient address
invalid_domain hard unroutable mail domain "corp.example"
# Blocks, quotas and filters in other words
user_unknown hard 550 5.1.1 <a@corp.example>: Recipient address rejected: No such mailbox available
user_unknown hard 554 5.1.1 mailbox name invalid
user_unknown hard 550 5.1.1 e-mail address not recognized here
user_unknown hard 550 <a@corp.example> sorry, no such address here
user_unknown hard 550 5.7.1 <a@corp.example>... Access denied: unknown user
user_unknown hard 550 The user you are trying to reach does not have an account with us
user_unknown hard 553 5.1.1 We have no mailbox by that name
user_unknown hard 550 Unable to find recipient in directory
user_unknown hard 550 5.2.1 Mailbox does not exist
user_unknown hard 550 5.1.1 destination mailbox unknown
user_unknown hard 550-a@corp.example is an invalid recipient
user_unknown hard 550 a@corp.example: user account deleted
user_unknown hard 501 5.1.1 no such local recipient
user_unknown hard 550 5.1.1 user a@corp.example cannot be found in LDAP
user_unknown hard 5.1.6 The mailbox has moved to another system
user_unknown hard 550 5.1.1 Not a valid alias
user_unknown hard 550 rcpt: no such user
user_unknown hard 550 Nonexistent account
user_unknown hard 550 5.1.1 mailbox not here anymore
mailbox_disabled hard 554 Email address has been disabled for sending and receiving
mailbox_disabled hard 550 5.1.1 <a@corp.example> the mailbox is suspended due to non-payment
mailbox_disabled hard 550 5.2.1 This mail account is not activated
mailbox_disabled hard 550 5.7.1 Recipient mailbox is not active
mailbox_disabled hard 550 5.1.1 Account on hold
mailbox_full soft 552 5.2.2 Recipient over quota
mailbox_full soft 550 5.2.2 Storage quota exceeded for this user
mailbox_full soft 452 4.2.2 a@corp.example has reached its mailbox limit
mailbox_full soft 550 User mailbox too full to accept message
mailbox_full soft 431 4.2.2 Not enough space in the mailbox
mailbox_full soft 552 5.7.0 Inbox is full. Try later
mailbox_full soft 450 4.2.1 mailbox temporarily full
blocked block 554 5.7.1 Rejected 192.0.2.1 found in dnsbl.example
blocked block 550 Your server IP has a low sender score, see senderscore.org
blocked block 554 5.7.1 Your message was rejected because the IP you send from is on the RBL
blocked block 550 Host blacklisted - see http://lookup.abuse.example
blocked block 421 4.7.1 Intrusion prevention active for [192.0.2.1]
blocked block 421 Try again later: your reputation is too low
blocked block 554 5.7.1 Mail from a hijacked network block
blocked block 550 5.7.1 Traffic from your network is not accepted
blocked block 553 5.7.1 mail from shop.example rejected: domain listed in DBL
blocked block 550 rejected: too many complaints about your IP
spam_content block 550 5.7.1 Message classified as bulk
spam_content block 554 5.7.1 Your e-mail was classified as SPAM. Please add a link to unsubscribe
spam_content block 550 Gateway rejected: high spam probability
spam_content block 554 Sorry, message looks like SPAM to me
spam_content block 552 5.7.0 Phishing mail rejected as spam
spam_content block 550 this email has been automatically tagged as spam
spam_content block 554 5.7.1 Content block: suspicious links
spam_content block 550 5.7.1 contains a URL on a blacklist
auth_failed block 550 5.7.1 The messages violates the DMARC policy of shop.example
auth_failed block 550 5.7.0 Email from shop.example must be signed with DKIM
auth_failed block 550 Message failed SPF check and was rejected
auth_failed block 554 Sender IP does not match SPF record
auth_failed block 550 5.7.1 Reverse DNS does not match HELO
auth_failed block 450 4.7.1 your host has no hostname in DNS
auth_failed block 550 5.7.1 IP without reverse DNS entry
sender_rejected block 550 5.7.1 Unknown sender domain
sender_rejected block 553 Your sender address must exist
sender_rejected block 550 5.1.0 Sender address domain has no MX record
sender_rejected block 550 Blank From: address
sender_rejected block 550 5.7.1 This sender is blocked
sender_rejected block 550 5.7.1 Only registered members can post to this list
sender_rejected block 550 no-reply senders are not accepted: sender verify failed
rate_limited ignore 450 4.3.2 Connection rate limit exceeded
rate_limited ignore 421 Too many connections from your host
rate_limited ignore 452 4.3.1 Too many recipients this minute
rate_limited ignore 451 4.7.0 message rate exceeded, try again in one hour
rate_limited ignore 450 4.7.1 sender throttled
rate_limited ignore 421 4.7.0 [IPTS04] too many messages, slow down
rate_limited ignore 550 5.7.1 Daily message limit reached for sender
greylisted ignore 450 4.7.1 Greylisted: wait 300 seconds and try again
greylisted ignore 451 4.7.1 This mail has been temporarily greylisted, come back
relay_denied block 550 5.7.1 Command rejected: relaying for that address is not allowed
relay_denied block 553 5.7.1 domain not in rcpthosts
relay_denied block 551 User not local; relaying denied
relay_denied block 550 This server does not accept mail for corp.example
policy_rejected block 550 5.7.1 Your message was blocked due to organisational policy
policy_rejected block 550 5.7.1 Policy of corp.example forbids this message
policy_rejected block 550 #5.7.1 Message rejected by policy
policy_rejected block 554 transaction failed: policy
content_rejected block 554 5.6.0 Invalid MIME structure
content_rejected block 552 5.7.0 Your mail contains an attachment that is not allowed
content_rejected block 550 5.7.1 Malware detected: HTML/Phish
content_rejected block 554 Zip attachment with password rejected
content_rejected block 550 5.6.0 Message is malformed: no Date header
message_too_large ignore 552 5.3.4 message exceeds max size (25 MB)
message_too_large ignore 554 Message too large - psmtp
message_too_large ignore 552 Maximum email size exceeded
message_too_large ignore 500 Line length exceeded
expired soft 4.4.7 Unable to deliver after 72 hours
expired soft Message queued for too long, returning
network_error soft 4.4.2 mx.corp.example: connection dropped by remote host
network_error soft 421 4.4.2 mx.corp.example Error: timeout exceeded
network_error soft 554 5.4.6 message loops: too many Received headers
network_error soft No MX server for corp.example could be reached
network_error soft SMTP server of corp.example is unreachable
dns_failure soft 451 4.4.3 could not resolve MX of corp.example, will retry
dns_failure soft DNS timeout for corp.example
system_error soft 451 4.3.5 Server misconfigured
system_error soft 421 4.3.0 Service temporarily offline
system_error soft 550 5.3.0 Cannot open mailbox: I/O error
system_error soft 451 Local error in processing
system_error soft 554 5.3.5 mailer misconfigured
system_error soft 451 4.2.0 Mailbox is busy
protocol_error ignore 502 5.5.2 Error: command not recognized
protocol_error ignore 530 5.7.0 STARTTLS required
protocol_error ignore 554 5.5.1 Error: bad pipelining
protocol_error ignore 403 4.7.0 TLS handshake failed
recipient_refused soft 550 The recipient's mail rules rejected your message
recipient_refused soft 554 recipient does not want mail from you
invalid_domain hard 550 5.1.2 Host or domain does not exist
invalid_domain hard 5.4.4 No route: domain corp.example has no MX
invalid_domain hard DNS: no such domain corp.example (NXDOMAIN)
invalid_domain hard 550 5.1.2 We weren't able to find the recipient domain.
invalid_address hard 553 5.1.3 Address has bad syntax
invalid_address hard 501 Syntax error in recipient address
# Out of public logs, threads and tables of codes
user_unknown hard 550-I'm sorry but jane@corp.example does not have an account here. I will not accept mail for it.
user_unknown hard 550 5.2.1 <JANE@CORP.EXAMPLE>... Addressee unknown, relay=[192.0.2.7]
user_unknown hard 550 5.2.1 <jane@corp.example>... blank mailhost - invalid address, relay=[192.0.2.7]
user_unknown hard 554 5.7.1 <jane@corp.example>: Recipient address rejected: Not in recipient list
user_unknown hard 550 No such ID
user_unknown hard 550 recipient unrecognized
user_unknown hard 550 I cannot deliver mail for <jane@corp.example>
user_unknown hard 550 That recipient is not allowed
user_unknown hard 550 User not a member of domain: <jane@corp.example>
user_unknown hard 550-"The recipient cannot be verified. Please check all recipients of this message to verify they are valid."
user_unknown soft 450 user path no exist
user_unknown hard 550 Command RCPT User <jane@corp.example> not OK
user_unknown hard 550 This account is not allowed...jane@corp.example
user_unknown hard 550 Unable to find alias user jane
user_unknown hard 550 Destinatario errato
user_unknown hard 550 Nie ma takiego konta
user_unknown hard 550 такого пользователя нет
user_unknown hard 550 local server don't exists that user
user_unknown hard 550 5.0.0 <jane@corp.example>... We do not have a user by that name
user_unknown hard 550 I cannot deliver mail for {jane@corp.example}
user_unknown hard 550 I cannot deliver for <jane@corp.example>
user_unknown hard 550 Mailbox unavailable or access denied [jane@qq.example] The recipient may contain a non-existent account, please check the recipient address.
user_unknown hard L'adresse de messagerie que vous avez entrée est introuvable.
user_unknown hard No se encontró la dirección de correo electrónico que ingresó.
user_unknown hard Impossibile trovare l'indirizzo di posta elettronica immesso.
user_unknown hard host mxs.corp.example[192.0.2.1] said: 550 <jane@corp.example> not used (in reply to rcpt to command)
user_unknown hard Remote host said: 550 sorry, your recipient address is not in my local list
user_unknown hard Remote host said: 554 Hi [192.0.2.9], 5.0.0 unresolvable address: <jane@vger.example>; nosuchuser; jane@vger.example
user_unknown hard Your message to jane@corp.example couldn't be delivered. jane wasn't found at corp.example.
user_unknown hard 559 invalid rcptto [@sm070102]
user_unknown hard 550 존재하지 않는 사용자입니다
user_unknown hard 550 このアドレスは存在しません
user_unknown hard jane@corp.example mailbox is not available on this server. 550 Requested action not taken
mailbox_disabled hard 550 <jane> is now disabled with MTA service.
mailbox_disabled hard 551 <jane@corp.example> is a deactivated mailbox
mailbox_disabled hard mail receiving disabled
mailbox_disabled hard 550 Esta casilla ha expirado por falta de uso
mailbox_disabled hard 550 El usuario esta en estado: inactivo
mailbox_disabled hard 550 Questo indirizzo e' bloccato per inutilizzo
mailbox_disabled hard 550 Podane konto jest zablokowane administracyjnie lub nieaktywne
mailbox_disabled hard 550 该邮箱已被禁用
mailbox_disabled hard 550 User hangup
mailbox_disabled hard 550 Mail for this user is temporarily turned off
mailbox_disabled hard 550 5.2.1 <jane@corp.example> mailbox blocked by administrator
mailbox_full soft La casella del destinatario ha superato la quota
mailbox_full soft 550 Ящик переполнен
mailbox_full soft cannot append message to destination file /var/mail/jane: error writing message: File too large
mailbox_full soft 受信者のメールボックスが一杯です
mailbox_full soft La boîte aux lettres du destinataire est saturée et ne peut accepter de messages pour le moment.
mailbox_full soft Hi, your message could not be delivered since the recipient's inbox is at capacity
mailbox_full soft 550 jane@corp.example has run out of space
mailbox_full soft 451 4.2.2 user has too many messages, cannot accept more
recipient_refused soft 554 5.7.1 The recipient definitively does not want your mail.
recipient_refused soft 550 jane@corp.example does not accept mail from news@shop.example
recipient_refused soft 550 5.7.1 Message rejected by user's blocked senders list
recipient_refused soft 550 The recipient has chosen not to accept mail from you
recipient_refused soft 550 5.1.1 Refused due to the recipient's preferences
message_too_large ignore 550 exceeded mailsize limit
message_too_large ignore 554 5.7.1 The message size is greater than allowed by the recipient's system
message_too_large ignore 552 Nachricht zu gross
message_too_large ignore 552 message size 31457280 exceeds maximum 20971520
dns_failure soft DNS server returned answer with no data or timed out
dns_failure soft DNS lookup of corp.example timed out
network_error soft 554 5.0.0 MX list for corp.example. points back to mail01.corp.example
network_error soft 451 4.4.0 Primary target IP address responded with: "421 4.4.2 Connection dropped due to SocketError." Attempted failover to alternate host, but that did not succeed.
network_error soft Could not complete SMTP session with remote host: remote end hung up
system_error soft Child process of virtual_delivery transport returned 127 (could mean unable to exec or command does not exist) from command
system_error soft 554 5.2.0 STOREDRV.Deliver.Exception:StorageTransientException.MapiExceptionJetErrorLogDiskFull; Failed to process message
system_error soft Unable to chdir to maildir. (#4.2.1)
system_error soft host 127.0.0.1[127.0.0.1] said: 451 4.5.0 id=11249-03 - Temporary MTA failure on relaying, From MTA() during fwd-connect (Negative greeting: at (eval 134) line 479.): id=11249-03 (in reply to end of DATA command)
system_error soft 451 4.4.4 Temporary server error. Please try again later ATTR1 (in reply to RCPT TO command)
system_error soft 550 /home/jane/.forward: line 1: jane2@other.example... Can't create output: Permission denied
system_error soft 450 4.3.0 LDAP server is unreachable, retry
system_error soft 451 4.4.0 Message failed to be replicated: No healthy secondary server available to accept replica at this time.
system_error soft 451 cuda_nsu 4.4.3 Temporary server error. Please try again later
protocol_error ignore 535 Authentication failure: SMTP AUTH failed with the remote server
protocol_error ignore 535 5.7.8 Error: authentication failed: UGFzc3dvcmQ6
protocol_error ignore 535 5.7.3 Authentication unsuccessful
protocol_error ignore 451 5.7.3 Cannot achieve Exchange Server authentication
protocol_error ignore 421-4.7.29 Your email has been rate limited because this message wasn't sent over a TLS connection. Gmail requires all bulk email senders to use TLS/SSL for SMTP connections.
protocol_error ignore 535 5.7.8 user not found or wrong password
blocked block 550 ip in prison
blocked block 550 Domain has received too many bounces
blocked block 550 5.7.501 Service unavailable. Spam abuse detected from IP range. For more information please go to http://go.microsoft.com/fwlink/?LinkId=526653.
blocked block 550 5.7.1 Access denied for 192.0.2.9
blocked block refused to talk to me: 571 Email from 192.0.2.9 is currently blocked by Verizon Online's anti-spam system. The email sender or Email Service Provider may visit http://www.verizon.net/whitelist and request removal of the block. 160716
blocked block 421 4.7.0 [GL01] Message from (192.0.2.9) temporarily deferred - 4.16.50
blocked block 550 Sorry, no access for this ip
blocked block 550 Sorry, no access for this domain
blocked block 550 Dictionary attack detected
blocked block 554 your network has been banned due to spam
blocked block 554 Server access forbidden by your IP 192.0.2.5
auth_failed block 421 4.7.32 Your email has been rate limited because the From: header (RFC5322) in this message isn't aligned with either the authenticated SPF or DKIM organizational domain.
auth_failed block 554 Connection refused(mx). MAIL FROM [news@shop.example] mismatches client IP [192.0.2.7].
auth_failed block 421-4.7.27 Your email has been rate limited because SPF authentication didn't pass for this message. Gmail requires all bulk email senders to authenticate their email with SPF.
auth_failed block 554 5.7.9 Message not accepted for policy reasons: DMARC policy
auth_failed block SMTP error from remote mail server after MAIL FROM:<news@shop.example> SIZE=1024: 450 service permits 2 unverifyable sending IPs - shop.example is not 192.0.2.22
relay_denied block 553 Specified domain is not allowed.
relay_denied block 550 Local user only or Authentication mechanism
relay_denied block 550 Requested action not taken: Local user only
relay_denied block 553 We are not responsible for this domain
relay_denied block 550 corp.example is not a domain hosted here
relay_denied block 550 5.1.1 relaying to non-local recipients not permitted
sender_rejected block 550 Verify mailfrom failed,blocked
sender_rejected block 550 Sender news@shop.example has no A, AAAA, or MX DNS records
sender_rejected block host mx3.qq.com[192.0.2.1] said: 550 Domain may not exist or DNS check failed [MAn2ccjs IP: 192.0.2.9]. (in reply to end of DATA command)
spam_content block 553 Blocked Using Spam Pattern, Your Message May Contain The Spam Contents
spam_content block 550 Wiadomosc zostala odrzucona przez system antyspamowy
spam_content block 550 failed several antispam checks
spam_content block 554 5.7.1 [HM07] Message rejected due to suspected spam
spam_content block 554 5.7.1 Gtube pattern
spam_content block Remote host said: 550-5.7.1 reject content [xbl] 550 See http://master.example/mail/why.php?why=SURBL
spam_content block 550 5.7.1 Bulk mail not wanted here
policy_rejected block 554 Message not allowed - [PH01] Email not accepted for policy reasons. Please visit https://help.yahoo.com/kb/postmaster/SLN5067.html [120]
policy_rejected block 550 5.7.124 RESOLVER.RST.SenderNotInAllowedSendersList
policy_rejected block smtp; 5.x.0 - Message bounced by administrator (delivery attempts: 0)
policy_rejected block 550 Nachricht wurde aus Sicherheitsgruenden abgelehnt (policy)
policy_rejected block 553 mailbox jane@corp.example is restricted
policy_rejected block 553 AUTH FAILED - jane@corp.example
policy_rejected block 550 5.7.1 Recipient Prohibited (12)
policy_rejected block 550 Legitimate bounces are never sent to more than one recipient.
policy_rejected block 550 5.7.1 Your message was blocked by a rule of the organisation
content_rejected block 550 5.7.1 Message rejected due to content restrictions
content_rejected block 552 MessageWall: MIME/REJECT: Invalid structure
content_rejected block 554 5.5.2 Invalid data in message
content_rejected block 550 5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant
content_rejected block 554 Message does not conform to standards
content_rejected block 550 Invalid Content
content_rejected block 550 message does not comply with required standards
content_rejected block Messages without To: fields are not accepted here
content_rejected block The user does not accept email in non-Western (non-Latin) character sets.
content_rejected block 553 Header Error
rate_limited ignore 550 5.2.121 RESOLVER.RST.RecipientRateLimit; The recipient has exceeded their limit for the number of messages they can receive per hour from a specific sender
rate_limited ignore 421-4.7.0 Try again later, closing connection. (MAIL) x1si - gsmtp
rate_limited ignore 550 Maximum number of messages exceeded, sender limited
rate_limited ignore 421 4.7.0 too many user unknown errors, closing connection
rate_limited ignore 450 4.7.3 Organization queue quota exceeded.
invalid_address hard 504 5.5.2 <jane@corp>: Recipient address rejected: need fully-qualified address
invalid_address hard 554 Transaction failed: Address contains illegal characters in user name: '<"mr.simon"@corp.example>'. (in reply to end of DATA command)
invalid_address hard 553 user address required
invalid_address hard 550 Restricted characters in address
suppressed ignore Recipient address suppressed: previously bounced
expired soft Delivery has failed for 72 hours; no further attempts will be made
expired soft The mail system has been trying to deliver for 120 hours. Giving up.
expired soft delivery attempts exhausted after 48 hours: Connection timed out
mailbox_full soft 550 Recipient's mailbox is over its limit
expired soft Delivery deadline passed; message returned
network_error soft SMTP connection to mx.corp.example was reset
rate_limited ignore 450 4.7.1 <news@shop.example>: Sender address rejected: sending rate too high
sender_rejected block 550 Verification failed for sender news@shop.example
message_too_large ignore 552 5.1.1 message exceeds the maximum size of this server
recipient_refused soft 550 5.1.1 Refused due to the recipient's preferences
# The sender's own account, its server and its machines: never the recipient's fault (law 5)
sender_rejected block 554 5.7.1 Outgoing mail from "news@shop.example" has been suspended.
sender_rejected block 550 The email account news@shop.example has been disabled from sending
sender_rejected block 550-Verification failed for <news@shop.example> 550-The mail server could not deliver mail to news@shop.example. The account or domain may not exist, they may be blacklisted
sender_rejected block 553 Your return address: user unknown
sender_rejected block 550 Return address is invalid
sender_rejected block 550 MAIL FROM user unknown
sender_rejected block 550 Header From user does not exist at shop.example
sender_rejected block 550 Reply-To domain does not exist
sender_rejected block 550 5.1.1 sorry, your sending domain is not known here
sender_rejected block 501 5.1.7 Invalid address
sender_rejected block 550 5.2.0 STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied
protocol_error ignore 535 5.7.8 account disabled
auth_failed block 554 PTR hostname not found for your mail server
auth_failed block 550 Mail server 192.0.2.1 does not exist in DNS
auth_failed block 550 DKIM selector domain does not exist (NXDOMAIN)
auth_failed block 550 DMARC: organizational domain not found
auth_failed block 550 Sender's policy prohibits this message: Reject
auth_failed block 550 5.7.1 Message rejected due to local policy: SPF fail
# Others
rate_limited ignore 550 Excessive userid unknowns
content_rejected block 550 Message headers fail syntax check
system_error soft 451 4.7.1 ClamAV: service unavailable, try later
system_error soft 451 4.5.0 Error in processing, id=02948-10, virus_scan FAILED: ALL VIRUS SCANNERS FAILED
mailbox_disabled hard Mailaddress is administratively disabled. (LDAP-ERR #220)
recipient_refused soft Your message to <a@corp.example> was automatically rejected: I take no mail from shops.
# Replies from logs that people showed, and the languages that were missing
sender_rejected block 550-Postmaster verification failed while checking <george@shop.example> 550-Called: 192.0.2.6 550-Sent: RCPT TO:<postmaster@shop.example> 550-Response: 550 <postmaster@shop.example>: User unknown
protocol_error ignore SASL authentication failed; server smtp.relay.example[192.0.2.1] said: 451 Authentication failed: Maximum credits exceeded
network_error soft 552 Your "received:" header counts exceeds the maximum setting. (in reply to end of DATA command)
mailbox_disabled hard 550 <a@corp.example>: Recipient address rejected: Domain not active
sender_rejected block 550 Sender domain not active
user_unknown hard 550 Gelöschtes Postfach
user_unknown hard 550 Adresse électronique inexistante
user_unknown hard 550 Hộp thư không tồn tại
user_unknown hard 550 المستخدم غير موجود
user_unknown hard 550 ไม่พบผู้ใช้
user_unknown hard 550 存在しないユーザーです
user_unknown hard 550 사용자를 찾을 수 없습니다
mailbox_full soft 552 A postafiók megtelt
# More languages; "your account" is the sender's in each of them
user_unknown hard 550 Nutzer nicht vorhanden
user_unknown hard 550 Käyttäjää ei löydy
user_unknown hard 550 Användaren finns inte
user_unknown hard 550 Utilizatorul nu există
user_unknown hard 550 5.1.1 Χρήστης δεν υπάρχει
user_unknown hard 550 המשתמש לא קיים
mailbox_disabled hard 550 Ce compte a été fermé
mailbox_full soft 550 Postboks er full
recipient_refused soft 550 5.7.1 Recipient only accepts messages from contacts
undetermined undetermined 550 Votre compte a été désactivé
undetermined undetermined 550 Ihr Konto wurde gesperrt
undetermined undetermined 550 Il tuo account è stato disattivato
""".strip().splitlines()


def rows() -> list[tuple[str, str, str]]:
    """The table above, cut."""
    return [tuple(line.split(" ", 2)) for line in WORDINGS if not line.startswith("#")]  # type: ignore[misc]


@pytest.mark.parametrize(("reason", "klass", "text"), rows())
def test_known_wordings(reason: str, klass: str, text: str) -> None:
    verdict = load().judge(source="report", evidence=evidence_from(text=text))
    assert (verdict.reason, verdict.klass) == (reason, klass), verdict.rule
