"""What automatic answers write, as tables: their subjects, and the sentences of their texts, all lower-case."""
# ruff: noqa: RUF001

from __future__ import annotations

from typing import Final

# Several to a line: these are lists to be searched, not read.
# fmt: off

# How subjects begin that mail systems make; followed by a colon or by nothing, they are proof enough.
SUBJECTS: Final = (
    "automatic reply", "automatic response", "automated reply", "automated response", "auto-reply", "auto reply",
    "autoreply", "auto response", "auto-response", "autoresponse", "automatic answer", "autoresponder",
    "out of office", "out of the office", "out-of-office", "ooo", "oof", "away from office", "vacation reply",
    "vacation response", "vacation message", "absence notice", "automatische antwort", "abwesenheitsnotiz",
    "abwesenheitsmeldung", "abwesenheitsmitteilung", "abwesenheit", "abwesend", "nicht im büro", "außer haus",
    "automatische rückantwort", "réponse automatique", "réponse automatisée", "absence du bureau", "absent du bureau",
    "absente du bureau", "message d'absence", "message d\u2019absence", "avis d'absence", "en congé",
    "respuesta automática", "respuesta automatica", "contestación automática", "fuera de la oficina",
    "mensaje de ausencia", "ausente de la oficina", "resposta automática", "resposta automatica",
    "fora do escritório", "mensagem de ausência", "ausência do escritório", "resposta automàtica",
    "fora de l'oficina", "erantzun automatikoa", "risposta automatica", "risposta automatizzata", "fuori ufficio",
    "fuori sede", "assente dall'ufficio", "messaggio di assenza", "avviso di assenza", "automatisch antwoord",
    "automatische reactie", "automatisch bericht", "afwezigheidsbericht", "afwezigheid", "afwezig", "niet aanwezig",
    "niet op kantoor", "buiten kantoor", "automatiskt svar", "autosvar", "automatiskt meddelande",
    "frånvaromeddelande", "frånvaro", "frånvarande", "inte på kontoret", "ej på kontoret", "på semester",
    "automatisk svar", "automatisk besked", "automatisk melding", "fraværsmelding", "fraværsbesked", "fravær",
    "fraværende", "ikke på kontoret", "ikke til stede", "ude af kontoret", "på ferie", "på ferje",
    "automaattinen vastaus", "automaattivastaus", "poissa toimistosta", "poissaoloilmoitus", "poissaolo", "lomalla",
    "sjálfvirkt svar", "ekki á skrifstofunni", "fjarverandi", "automatyczna odpowiedź", "odpowiedź automatyczna",
    "autoodpowiedź", "poza biurem", "nieobecność", "nieobecność w biurze", "automatická odpověď", "automatická odpov",
    "mimo kancelář", "nepřítomnost", "automatická odpoveď", "mimo kancelárie", "mimo kancelárii", "neprítomnosť",
    "automatikus válasz", "automatikus üzenet", "házon kívül", "irodán kívül", "távollét", "szabadságon",
    "răspuns automat", "raspuns automat", "mesaj automat", "în afara biroului", "absent din birou", "în concediu",
    "automatski odgovor", "аутоматски одговор", "samodejni odgovor", "avtomatski odgovor", "izvan ureda", "odsotnost",
    "автоматичен отговор", "извън офиса", "автоматски одговор", "автоматический ответ", "автоответ",
    "автоматическое уведомление", "нет на работе", "вне офиса", "отсутствие на работе", "не на работе", "в отпуске",
    "автоматична відповідь", "автовідповідь", "поза офісом", "відсутність", "у відпустці", "автоматты жауап",
    "αυτόματη απάντηση", "εκτός γραφείου", "απουσία από το γραφείο", "otomatik yan\u0131t", "otomatik cevap",
    "ofis dışında", "ofis dışı", "automaatvastus", "automaatne vastus", "kontorist väljas", "automatinis atsakymas",
    "ne biure", "automātiskā atbilde", "automātiska atbilde", "ārpus biroja", "תשובה אוטומטית", "מענה אוטומטי",
    "מחוץ למשרד", "رد تلقائي", "رد آلي", "الرد التلقائي", "خارج المكتب", "پاسخ خودکار", "स्वचालित उत्तर",
    "स्वतः उत्तर", "การตอบกลับอัตโนมัติ", "ตอบกลับอัตโนมัติ", "ไม่อยู่ที่สำนักงาน", "trả lời tự động",
    "thư trả lời tự động", "vắng mặt", "balasan otomatis", "balasan automatik", "di luar kantor", "sedang cuti",
    "awtomatikong tugon", "자동 회신", "자동회신", "자동 응답", "자동응답", "부재중", "부재 중", "自動応答",
    "自動返信", "不在通知", "不在のお知らせ", "不在連絡", "休暇のお知らせ", "自动回复", "自动答复", "自动应答",
    "外出自动回复", "不在办公室", "自動回覆", "自動回復", "不在辦公室", "休假通知",
)
# Beginnings that people use as well: they count together with something else.
LOOSE_SUBJECTS: Final = (
    "auto:", "ooo", "away from", "on vacation", "vacation", "on holiday", "on leave", "abwesen", "urlaub",
    "im urlaub", "in elternzeit", "im mutterschutz", "krankgeschrieben", "jag är på semester", "jag är ledig",
    "jag är tillbaka", "utanför kontoret", "tjänstledig", "föräldraledig", "mammaledig", "pappaledig", "sjukskriven",
    "jeg er på ferie", "utenfor kontoret", "i permisjon", "foreldrepermisjon", "på barselsorlov", "på orlov",
    "sygemeldt", "olen lomalla", "vanhempainvapaalla", "je suis en vacances", "en vacances jusqu", "en arrêt maladie",
    "estoy de vacaciones", "de baja maternal", "estou de férias", "de licença", "sono in ferie", "in ferie fino",
    "in maternità", "met vakantie", "op vakantie tot", "met zwangerschapsverlof", "na urlopie", "na dovolené",
    "na mateřské", "szabadságon vagyok", "sunt în concediu", "я в отпуске", "в декрете", "σε άδεια", "yıllık izindeyim",
    "on maternity leave", "on parental leave", "on annual leave", "on sick leave", "đang nghỉ phép", "휴가 중",
    "休暇中", "休假中",
)
# Notes puts the name before: "Anna Example is out of the office".
CONTAINED: Final = (
    "is out of the office", "is out of office", "will be out of the office", "is away from the office",
    "is on vacation", "ist außer haus", "ist nicht im büro", "ist abwesend", "nicht im hause", "est absent",
    "est absente", "è fuori sede", "è fuori ufficio", "è assente", "está fuera de la oficina", "está ausente",
    "estará ausente", "is afwezig", "is niet aanwezig", "är inte på kontoret", "är frånvarande",
    "er ikke på kontoret", "er fraværende", "on poissa", "jest nieobecn", "nie ma w biurze", "je mimo kancelář",
    "nincs az irodában", "nu este la birou", "отсутствует", "не в офисе", "ofis dışında", "は不在です", "不在办公室",
)
# How the subjects of receipts begin that help desks and people who like them send.
THANKS: Final = (
    "thank you for your e-mail", "thank you for your email", "thank you for your message", "thank you for your mail",
    "thank you for contacting", "thank you for your inquiry", "thank you for your enquiry", "thanks for your e-mail",
    "thanks for your email", "thanks for your message", "thanks for contacting", "we have received your",
    "we received your", "your message has been received", "your request has been received",
    "your email has been received", "acknowledgement of", "vielen dank für ihre", "danke für ihre", "wir haben ihre",
    "eingangsbestätigung", "merci pour votre", "merci de votre", "nous avons bien reçu", "accusé de réception",
    "gracias por su", "gracias por contactar", "hemos recibido su", "acuse de recibo", "obrigado pela sua",
    "obrigado por", "recebemos", "grazie per", "abbiamo ricevuto", "bedankt voor uw", "wij hebben uw",
    "ontvangstbevestiging", "tack för ditt", "tak for din", "takk for", "kiitos viestistä", "dziękujemy za",
    "děkujeme za", "ďakujeme za", "köszönjük", "vă mulțumim", "благодарим за", "спасибо за", "дякуємо за",
    "благодарим ви", "ευχαριστούμε για", "teşekkür", "terima kasih", "cảm ơn", "感谢您的", "感謝您的",
    "お問い合わせありがとう", "お問い合わせを受け", "문의해 주셔서",
)
# Sentences with which a text says that no person wrote it, or that its owner is away.
TEXTS: Final = (
    "this is an automatic reply", "this is an automatic response", "this is an automated reply",
    "this is an automated response", "this is an auto-reply", "this is an auto reply", "this is an autoreply",
    "this is an auto response", "automatically generated reply", "automatically generated response",
    "only notification you will receive while", "i am out of the office", "i'm out of the office",
    "i\u2019m out of the office", "i am currently out of", "i'm currently out of", "i will be out of the office",
    "i am away from", "i am on vacation", "i am on holiday", "i'm on vacation", "i am on annual leave",
    "on maternity leave", "will not be reading my mail", "limited access to e-mail", "limited access to email",
    "limited access to my email", "dies ist eine automatische antwort", "dies ist eine automatisch erzeugte",
    "dies ist eine automatisch generierte", "automatisch generierte antwort", "bin ich nicht im büro",
    "ich bin nicht im büro", "ich bin nicht im haus", "ich bin außer haus", "ich bin bis", "ich bin ab",
    "ich bin derzeit nicht", "ich bin zur zeit nicht", "bin im urlaub", "ceci est une réponse automatique",
    "ceci est un message automatique", "je suis absent", "je suis actuellement absent", "je suis en congé",
    "actuellement absente", "esta es una respuesta automática", "estoy fuera de la oficina",
    "estaré fuera de la oficina", "estaré ausente", "me encuentro fuera", "me encuentro de vacaciones",
    "esta é uma resposta automática", "estou ausente", "estarei ausente", "estou de férias",
    "estou fora do escritório", "questa è una risposta automatica", "sono fuori ufficio", "sono fuori sede",
    "sarò assente", "sono in ferie", "dit is een automatisch", "ben ik afwezig", "ik ben afwezig",
    "ik ben niet aanwezig", "ik ben met vakantie", "detta är ett automatiskt", "jag är på semester",
    "jag är inte på kontoret", "jag är inte på plats", "jag är ledig", "dette er et automatisk", "jeg er på ferie",
    "jeg er ikke på kontoret", "jeg er bortrejst", "jeg er ute av kontoret", "tämä on automaattinen", "olen lomalla",
    "olen poissa", "þetta er sjálfvirkt", "to jest automatyczna", "jestem nieobecn", "nie ma mnie w biurze",
    "przebywam na urlopie", "jestem na urlopie", "toto je automatick", "nejsem v kanceláři", "jsem mimo kancelář",
    "mám dovolenou", "jsem na dovolené", "som na dovolenke", "ez egy automatikus", "szabadságon vagyok",
    "házon kívül vagyok", "acesta este un răspuns automat", "acesta este un mesaj automat", "sunt în concediu",
    "nu sunt la birou", "nisam u uredu", "na godišnjem odmoru", "sem na dopustu", "това е автоматичен",
    "в отпуск съм", "извън офиса съм", "это автоматический ответ", "это автоматическое", "я в отпуске",
    "нахожусь в отпуске", "меня нет в офисе", "я отсутствую", "це автоматична відповідь", "я у відпустці",
    "αυτή είναι μια αυτόματη", "απουσιάζω", "λείπω από το γραφείο", "bu otomatik bir", "ofis dışında olacağım",
    "ofis dışındayım", "yıllık izindeyim", "זוהי תשובה אוטומטית", "זוהי הודעה אוטומטית", "איני במשרד", "אני בחופשה",
    "هذا رد تلقائي", "هذه رسالة تلقائية", "أنا خارج المكتب", "أنا في إجازة", "นี่เป็นการตอบกลับอัตโนมัติ",
    "ข้อความตอบกลับอัตโนมัติ", "đây là thư trả lời tự động", "tôi đang nghỉ phép", "tôi không có mặt",
    "ini adalah balasan otomatis", "saya sedang cuti", "saya sedang tidak di kantor", "자동으로 발송된",
    "자동 응답 메일", "부재중입니다", "휴가 중", "自動返信です", "自動返信メール", "自動的に返信",
    "自動送信されています", "休暇をいただいて", "不在にして", "不在となり", "休暇中", "这是一封自动回复",
    "这是自动回复", "本邮件为自动回复", "自动回复邮件", "我正在休假", "我正在外出", "我不在办公室",
    "您的邮件我已收到", "您的来信我已收到", "這是自動回覆", "此為自動回覆", "我正在休假中", "目前不在辦公室",
)
