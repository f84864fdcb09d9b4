"""Lists the words that say a refusal is for a while, in as many languages as the rules know.

RFC 3463 gives no code for "disabled, but not for good" (x.2.1 is both), and a server that answers 550 to it makes its
own words permanent. So the words count: what is refused for a while is never held against the address for good,
whatever the code. A rule that knows better says so (`then.final`).
"""

from __future__ import annotations

from typing import Final

# Patterns, a line each (see pattern.py).
PASSING: Final = """
temporar*
for (a while|now|the moment|the time being|some time)
at (this time|the moment|present)
(try|retry|again|back|resend|attempt) * later
try again (tomorrow|soon|in|after)
until (further|tomorrow|next|later|the end of|monday|tuesday|wednesday|thursday|friday|saturday|sunday)
(exceeding|exceeded|exceeds) * (receiving|receive|rate) (limit|limits)
momentar*
under maintenance
(is|are) being (migrated|moved|upgraded|transferred|restored)
(locked|suspended|blocked|disabled) * for (NUM|one|two|a|an|some|several|few) (hours|hour|minutes|days|day|weeks|while)
(frozen|deactivated|closed) * for (NUM|one|two|a|an|some|several|few) (hours|hour|minutes|days|day|weeks|while)
(during|for|in) (maintenance|migration)
vorübergehend*
voruebergehend*
temporär*
temporaer*
(zeitweise|zeitweilig|derzeit|momentan|zurzeit|zur zeit)
(später|spaeter) (erneut|noch|nochmal|nochmals|wieder)
temporal
temporalmente
momentáneamente
(más|mais) tarde
(temporaire|temporairement|provisoirement|momentanément|ultérieurement)
plus tard
temporane*
momentaneamente
(provvisoriamente|provisoriamente|provisionalmente)
più tardi
(tijdelijk|tijdelijke|momenteel)
later opnieuw
(tillfälligt|tillfällig|tillfälliga|senare)
(midlertidig|midlertidigt|senere)
(tilapäi*|väliaikai*|myöhemmin|toistaiseksi)
(tymczasow*|chwilowo|przejściowo|później)
(dočasn*|přechodně|prechodne|momentálně|momentálne|později|neskôr)
(ideiglenes*|átmenetileg|átmeneti|később)
(momentan|mai târziu)
временн*
(позже|позднее|попозже)
тимчасов*
пізніше
късно
προσωριν*
αργότερα
(זמנית|זמני|מאוחר יותר)
(geçici|geçici olarak|daha sonra)
(مؤقت|مؤقتا|مؤقتة|لاحقا|في وقت لاحق)
(tạm thời|tạm khóa|tạm ngưng|lại sau)
(ชั่วคราว|ภายหลัง)
(sementara|untuk sementara|nanti)
(privremeno|kasnije|привремено|касније)
(začasno|pozneje|ajutiselt|laikinai|īslaicīgi|temporalment)
(موقت|موقتا|बाद में|अस्थायी)
(일시적|일시|잠시|임시|나중에)
(暂时|暫時|临时|臨時|稍后|稍後|稍候|暂停)
(一時|後ほど|しばらく|後で)
"""
