"""Words of a question that say nothing about what is asked for.

English, German, French, Spanish, Italian, Portuguese and Dutch; without accents,
as `question_terms` compares them. A word that is left in by mistake only costs
rank: it is common, so a search weighs it little.
"""

__all__ = ["STOP_WORDS"]

_ENGLISH = """
a about above after again all also am an and any anything are aren as at be been
before being both but by can conversation conversations could couldn did didn discuss
discussed do does doesn doing don done down each ever everything few find for from
further get give had has hasn have haven having he hello her here hers hey hi him his
how i if in into is isn it its just know let like ll look many me mean mention
mentioned more most much my myself no nor not of off ok okay on once only or other our
out over own please re remember said same say says search she should shouldn show so
some something such talk talked talking tell than thank thanks that the their them
then there these they this those through to told too under until up us ve very was
wasn we were weren what when where which while who whom whose why will with won would
wouldn yes you your yours
"""
_GERMAN = """
aber alle allem allen aller alles als also am an auch auf aus bei bin bis bist bitte
da damit danke dann das dass dein deine dem den denn der des dich die dies diese
dieser dieses dir doch dort du durch ein eine einem einen einer eines er es etwas euch
euer fur gesagt gib habe haben hallo hast hat hatte hier ich ihm ihn ihr im in ist ja
kann kannst kein keine mal man mein meine meinem meinen meiner mich mir mit nach nein
nicht nichts noch nun nur ob oder ohne sag sage sagen schon sein seine sich sie sind
so soll uber um und uns unser unter vom von vor wann war waren warum was weil weisst
welche welcher welches wem wen wenn wer werden wie wieder wir wird wo wurde zu zum zur
"""
_FRENCH = """
ai as au aux avec avez avons ayant bonjour c ce ces cet cette comment d dans de des
dis dit donc du elle elles en est et etait ete etes etre eu il ils j je l la le les
leur leurs lui m ma mais me merci mes mon n ne nos notre nous on ont ou par parle pas
plus pour pourquoi qu quand que quel quelle quelles quels quest qui quoi s sa sans se
ses si son sont suis sur t ta te tes toi ton tu un une va vos votre vous y
"""
_SPANISH = """
al algo como con cual cuales cuando de del dije dijo dime donde dos el ella ellas
ellos en era eres es esa ese eso esta estaba estan estas este esto estoy fue gracias
ha haber habia hablamos han has hasta hay he hola la las le les lo los mas me mi mis
mucho muy nada ni nos nosotros nuestro o os otra otro para pero por porque puede
puedes que quien se sea ser si sin sobre son soy su sus te tengo ti tiene todo tu tus
un una uno unos usted y ya yo
"""
_ITALIAN = """
abbiamo agli ai al alla alle allo anche avere avete c che chi ci ciao coi col come con
cosa cui da dagli dai dal dalla dalle de degli dei del della delle dello detto di
dimmi dove e ed era gli grazie ha hai hanno ho i il in io l la le lei li lo loro lui
ma mi mia mie miei mio ne negli nei nel nella nelle noi non nostro o per perche piu
quale quali quando quello questa questo qui sei si sia sono su sua sue sugli sui sul
sulla suo ti tra tu tua tuo un una uno vi voi
"""
_PORTUGUESE = """
ao aos as com como da das de dela dele diga disse do dos e ela ele eles em entre era
essa esse esta estao este eu foi foram ha isso isto ja lhe mais mas me mesmo meu minha
muito na nao nas nem no nos nossa nosso num numa o obrigado ola onde os ou para pela
pelo por porque qual quando que quem se sem ser seu sobre sua tem tenho teu tua um uma
voce voces
"""
_DUTCH = """
aan al alles als bedankt ben bent bij daar dan dat de deze die dit doe door dus een en
er ge geen gezegd had hallo heb hebben heeft het hier hij hoe hun ik in is ja je jij
jou jouw kan kun maar me meer men met mij mijn moet na naar nee niet niets nog nu of
om omdat ons onze ook op over te tegen toen tot u uit uw van veel voor waar waarom
wanneer want was wat we welke wie wij wil worden ze zeg zei zich zij zijn zo zonder
zou
"""

STOP_WORDS = frozenset(
    " ".join(
        (_ENGLISH, _GERMAN, _FRENCH, _SPANISH, _ITALIAN, _PORTUGUESE, _DUTCH)
    ).split()
)
