"""What the reversal suite is built of: nouns, templates that a lost word turns around, and plain sentences."""

from __future__ import annotations

from moosproxy.compressor.text.lexicon import words

NOUNS = {
    "en": words("""
        baker sailor dentist gardener plumber librarian surgeon captain teacher printer miller shepherd
    """),
    "de": words("""
        Bäcker Matrose Zahnarzt Gärtner Klempner Lehrer Kapitän Drucker Müller Schäfer Richter Maler
    """),
    "es": words("""
        panadero marinero dentista jardinero fontanero maestro capitán impresor molinero pastor juez pintor
    """),
    "fr": words("""
        boulanger marin dentiste jardinier plombier maître capitaine imprimeur meunier berger juge peintre
    """),
    "zh": words("面包师 水手 牙医 园丁 水管工 教师 船长 印刷工 磨坊主 牧羊人 法官 画家"),
    "ja": words("パン屋 船員 歯科医 庭師 配管工 教師 船長 印刷屋 粉屋 羊飼い 裁判官 画家"),
}

TEMPLATES = {
    "en": """The {0} does not owe the {1} any money.
The {0} has never been sued by the {1}.
The {0} hardly knows the house of the {1}.
Neither the {0} nor the {1} signed the letter.
All rooms but the attic belong to the {0} and the {1}.
The {0} may enter the yard of the {1} only with a key.
The {0} pays for the roof unless the {1} has broken it.
Everybody other than the {0} greeted the {1}.
The {0} keeps the dog as long as the {1} feeds it.
If the {0} is late, the {1} opens the gate, otherwise the guard does.
The {0} gets the keys before the {1} pays, not after.
The {0} must leave the hall of the {1} until noon.
The {0} is older than the {1} but earns less.
The {0} took tea rather than coffee from the {1}.
The {0} may invite at most four friends of the {1}.
The {0} owes the {1} two hundred and thirty crowns.
The {0} gave up the plan that the {1} had made.
The {0} called off the feast for the {1}.
The {0} left out the name of the {1}.
The loan of the {0} to the {1} fell through.
The {0} denied that the {1} was ill.
The {0} doubts that the {1} has paid.
The {0} failed to warn the {1} in time.
The {0} refrained from building beside the {1}.
The {0} was supposed to meet the {1}.
The {0} almost sold the mill to the {1}.
The {0} pays prior to delivery, subject to the consent of the {1}.
The {0} lends the cart to the {1} provided that it comes back.
The {0} shall hand in the papers no later than the {1}.
The {0} can leave without the {1}, but not with the children.
The {0} was sued by the {1} for the lost boat.
The {0} used to work for the {1}.
The {0} isn't allowed to follow the {1} upstairs.
The {0} sat with everyone except the {1}.
Apart from the {0}, nobody believed the {1}.""".splitlines(),
    "de": """Der {0} schuldet dem {1} kein Geld.
Der {0} wurde nie vom {1} verklagt.
Der {0} kennt das Haus vom {1} kaum.
Weder der {0} noch der {1} hat den Brief unterschrieben.
Alle Zimmer außer dem Dachboden gehören dem {0} und dem {1}.
Der {0} darf den Hof vom {1} nur mit Schlüssel betreten.
Der {0} zahlt das Dach, es sei denn, der {1} hat es zerbrochen.
Abgesehen vom {0} glaubte niemand dem {1}.
Der {0} behält den Hund, solange der {1} ihn füttert.
Wenn der {0} zu spät kommt, öffnet der {1} das Tor, sonst der Wächter.
Der {0} bekommt die Schlüssel, bevor der {1} zahlt, nicht danach.
Der {0} muss den Saal vom {1} bis Mittag verlassen.
Der {0} ist älter als der {1}, verdient aber weniger.
Der {0} nahm vom {1} Tee statt Kaffee.
Der {0} darf höchstens vier Freunde vom {1} einladen.
Der {0} schuldet dem {1} zwölftausend Kronen.
Der {0} hat den Plan vom {1} aufgegeben.
Der {0} hat das Fest für den {1} abgesagt.
Der {0} hat den Namen vom {1} ausgelassen.
Der {0} bestreitet, dass der {1} krank war.
Der {0} bezweifelt, dass der {1} gezahlt hat.
Der {0} hätte den {1} beinahe überholt.
Der {0} sollte den {1} treffen.
Der {0} leiht dem {1} den Karren unter der Bedingung, dass er zurückkommt.
Der {0} kann ohne den {1} gehen, aber nicht mit den Kindern.
Den {0} beißt der Hund vom {1}.
Der {0} zahlt spätestens am Freitag mindestens die Hälfte an den {1}.
Der {0} sitzt bei allen mit Ausnahme vom {1}.
Der {0} geht nach dem {1}, ausgenommen am Sonntag.""".splitlines(),
    "es": """El {0} no debe dinero al {1}.
El {0} nunca fue demandado por el {1}.
El {0} apenas conoce la casa del {1}.
Ni el {0} ni el {1} firmaron la carta.
Todos los cuartos salvo el desván son del {0} y del {1}.
El {0} entra en el patio del {1} sólo con llave.
El {0} paga el techo a menos que el {1} lo haya roto.
Aparte del {0}, nadie creyó al {1}.
El {0} cuida el perro mientras el {1} lo alimenta.
Si el {0} llega tarde, el {1} abre la puerta, de lo contrario lo hace el guardia.
El {0} recibe las llaves antes de que el {1} pague, no después.
El {0} debe dejar la sala del {1} hasta el mediodía.
El {0} es más viejo que el {1}, pero gana menos.
El {0} tomó té en vez de café con el {1}.
El {0} puede invitar como máximo a cuatro amigos del {1}.
El {0} debe al {1} doscientas treinta coronas.
El {0} dejó de trabajar para el {1}.
El {0} negó que el {1} estuviera enfermo.
El {0} duda que el {1} haya pagado.
El {0} casi vendió el molino al {1}.
El {0} presta el carro al {1} con tal que vuelva.
El {0} puede salir sin el {1}, pero no con los niños.
El {0} fue demandado por el {1} por el barco perdido.
El {0} se sentó con todos excepto el {1}.
La fiesta del {0} para el {1} fue cancelada.
El plan del {0} y del {1} fue abandonado.
El {0} tampoco saludó al {1}.
El {0} paga al menos la mitad al {1}.""".splitlines(),
    "fr": """Le {0} ne doit pas d'argent au {1}.
Le {0} n'a jamais été poursuivi par le {1}.
Le {0} connaît à peine la maison du {1}, sans jardin.
Ni le {0} ni le {1} n'ont signé la lettre.
Toutes les chambres sauf le grenier sont au {0} et au {1}.
Le {0} entre dans la cour du {1} seulement avec une clé.
Le {0} paie le toit à moins que le {1} l'ait cassé.
En dehors du {0}, personne n'a cru le {1}.
Le {0} garde le chien tant que le {1} le nourrit.
Si le {0} arrive tard, le {1} ouvre la porte, sinon c'est le gardien.
Le {0} reçoit les clés avant que le {1} paie, pas après.
Le {0} doit quitter la salle du {1} avant midi.
Le {0} est plus vieux que le {1}, mais gagne moins.
Le {0} a pris du thé plutôt que du café chez le {1}.
Le {0} peut inviter au plus quatre amis du {1}.
Le {0} doit au {1} soixante-douze couronnes.
Le {0} a renoncé au projet du {1}.
Le {0} nie que le {1} ait été malade.
Le {0} doute que le {1} ait payé.
Le {0} a presque vendu le moulin au {1}.
Le {0} prête la charrette au {1} à condition de la revoir.
Le {0} peut partir sans le {1}, mais pas avec les enfants.
Le {0} ne vient qu'avec le {1}.
Le {0} est assis avec tous excepté le {1}.
La fête du {0} pour le {1} a été annulée.
Le plan du {0} et du {1} fut abandonné.
Le {0} paie au moins la moitié au {1}.
Le {0} n'est plus l'ami du {1}.""".splitlines(),
    "zh": """{0}不欠{1}的钱。
{0}从来没有被{1}起诉过。
{0}几乎不认识{1}的家。
{0}和{1}都没有在信上签字。
除了阁楼，所有房间都属于{0}和{1}。
{0}只有带着钥匙才能进入{1}的院子。
屋顶由{0}付钱，除非是{1}弄坏的。
除了{0}，没有人相信{1}。
只要{1}喂狗，{0}就把它留下。
如果{0}迟到，就由{1}开门，否则由守卫开门。
{0}在{1}付款之前拿到钥匙，而不是之后。
{0}必须在中午以前离开{1}的大厅。
{0}的收入比{1}少一半。
{0}在{1}家喝了茶而不是咖啡。
{0}最多可以邀请{1}的四位朋友。
{0}欠{1}五千八百元。
{0}放弃了{1}定下的计划。
{0}取消了为{1}准备的宴会。
{0}否认{1}生过病。
{0}怀疑{1}是否付了钱。
{0}差点把磨坊卖给{1}。
{0}未经{1}同意不得进门。
{0}至少要付给{1}百分之十五。
{0}尚未通知{1}。
{0}无法帮助{1}。
{0}被{1}告上了法庭，赔了十二万元。
{0}不再为{1}工作。
{0}勿打扰{1}。""".splitlines(),
    "ja": """{0}は{1}にお金を借りていない。
{0}は{1}に訴えられたことがない。
{0}は{1}の家をほとんど知らない。
{0}も{1}も手紙に署名しませんでした。
屋根裏を除いて、すべての部屋は{0}と{1}のものだ。
{0}は鍵がある場合に限り{1}の庭に入れる。
{1}が壊したのでなければ、屋根の代金は{0}が払う。
{0}以外は誰も{1}を信じなかった。
{1}が餌をやる限り、{0}は犬を飼う。
{0}が遅れたら{1}が門を開け、そうでなければ番人が開ける。
{0}は{1}が払う前に鍵を受け取る。
{0}は正午までに{1}の広間を出なければならない。
{0}は{1}より年上だが収入は少ない。
{0}は{1}の家でコーヒーではなくお茶を飲んだ。
{0}が招けるのは{1}の友人四人までだ。
{0}は{1}に五千八百円の借りがある。
{0}は{1}の計画を断念した。
{0}は{1}のための宴会を中止した。
{0}は{1}が病気だったことを否定した。
{0}は{1}が払ったかどうか疑っている。
{0}は{1}の許可がない限り入ってはいけない。
{0}だけが{1}に挨拶した。
{0}は{1}を手伝えません。
{0}は少なくとも半分を{1}に払う。
{0}は{1}を待たずに帰った。
{0}は{1}に会うはずだった。
{0}は{1}のために働くのをやめた。
{0}は{1}の荷物に触らないでください。""".splitlines(),
}

FILLERS = {
    "en": """The market lies at the river and smells of bread in the morning.
Boats with bright sails pass the bridge on their way to the sea.
A tall clock stands in the middle of the square.
The school has a garden with old pear trees.
Children play with hoops in the lanes behind the church.
In spring the storks return to the roof of the town hall.
A very long wall of red brick runs along the harbour.
The inn serves fish soup with herbs from the hills.
Every evening the lamps are lit by a man with a ladder.
Carts with hay roll slowly through the eastern gate.
The mountains in the west are white with snow.
A small brass band plays near the fountain on Sundays.
The weavers hang their cloth in the sun.
Rain falls softly on the slate roofs of the old town.""".splitlines(),
    "de": """Der Markt liegt am Fluss und riecht am Morgen nach Brot.
Boote mit bunten Segeln fahren unter der Brücke zum Meer.
Eine hohe Uhr steht in der Mitte des Platzes.
Die Schule hat einen Garten mit alten Birnbäumen.
Kinder spielen mit Reifen in den Gassen hinter der Kirche.
Im Frühling kehren die Störche auf das Dach des Rathauses zurück.
Eine sehr lange Mauer aus rotem Stein läuft am Hafen entlang.
Das Gasthaus serviert Fischsuppe mit Kräutern von den Hügeln.
Jeden Abend zündet ein Mann mit einer Leiter die Lampen an.
Wagen mit Heu rollen langsam durch das Osttor.
Die Berge im Westen sind weiß von Schnee.
Eine kleine Kapelle spielt am Brunnen.
Die Weber hängen ihr Tuch in die Sonne.
Leise fällt der Regen auf die Dächer der alten Stadt.""".splitlines(),
    "es": """El mercado está junto al río y huele a pan por la mañana.
Barcos con velas de colores pasan bajo el puente hacia el mar.
Un reloj alto está en el centro de la plaza.
La escuela tiene un jardín con viejos perales.
Los niños juegan con aros en las calles de la iglesia.
En primavera las cigüeñas vuelven al tejado del ayuntamiento.
Un muro muy largo de ladrillo rojo corre junto al puerto.
La posada sirve sopa de pescado con hierbas de las colinas.
Cada tarde un hombre con una escalera enciende las lámparas.
Carros con heno ruedan despacio por la puerta del este.
Las montañas del oeste están blancas de nieve.
Una pequeña banda toca junto a la fuente los domingos.
Los tejedores cuelgan su tela al sol.
La lluvia cae suave sobre los tejados de la ciudad vieja.""".splitlines(),
    "fr": """Le marché est au bord du fleuve et sent le pain le matin.
Des bateaux aux voiles claires passent sous le pont vers la mer.
Une haute horloge se dresse au milieu de la place.
L'école a un jardin avec de vieux poiriers.
Les enfants jouent au cerceau dans les ruelles derrière l'église.
Au printemps les cigognes reviennent sur le toit de la mairie.
Un mur très long de brique rouge court le long du port.
L'auberge sert une soupe de poisson aux herbes des collines.
Chaque soir un homme avec une échelle allume les lampes.
Des charrettes de foin roulent lentement par la porte de l'est.
Les montagnes de l'ouest sont blanches de neige.
Une petite fanfare joue près de la fontaine le dimanche.
Les tisserands étendent leur toile au soleil.
La pluie tombe doucement sur les toits de la vieille ville.""".splitlines(),
    "zh": """集市在河边，早晨满是面包的香味。
挂着彩帆的船从桥下驶向大海。
广场的中央立着高高的钟楼。
学校里有种着老梨树的花园。
孩子们在教堂后面的小巷里滚铁环。
春天鹳鸟回到市政厅的屋顶上。
红砖砌成的长墙沿着港口延伸。
客栈供应加了山间香草的鱼汤。
每天傍晚有人扛着梯子去点灯。
装着干草的马车慢慢驶过东门。
西边的山上覆盖着白雪。
乐队星期天在喷泉旁演奏。
织工把布晾在太阳下面。
细雨轻轻落在老城的瓦片上。""".splitlines(),
    "ja": """市場は川のそばにあり、朝はパンの香りがする。
色とりどりの帆の船が橋の下を通って海へ向かう。
広場の中央に高い時計が立っている。
学校には古い梨の木の庭がある。
子どもたちは教会の裏の路地で遊んでいる。
春になるとコウノトリが役場の屋根に帰ってくる。
赤い煉瓦の長い塀が港に沿って続く。
宿では丘の香草の入った魚のスープが出る。
毎晩、梯子を持った男が街灯に火をともす。
干し草を積んだ荷車が東の門をゆっくりと通る。
西の山々は雪で白い。
小さな楽隊が日曜日に噴水のそばで演奏する。
織物職人は布を日に干す。
雨が旧市街の瓦に静かに降る。""".splitlines(),
}
