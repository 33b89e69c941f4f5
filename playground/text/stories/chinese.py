"""Little stories in Chinese: the words, who may be in a story, and what may happen."""

from playground.text.stories.grammar import Cast, Entity, Scene, Teller
from playground.text.stories.world import Drawn

HE, SHE = {"he": "他", "him": "他"}, {"he": "她", "him": "她"}
BOYS = (("小明", "做饭"), ("小刚", "跳舞"), ("大伟", "画画"), ("小军", "钓鱼"), ("阿强", "睡觉"), ("小龙", "大笑"))
GIRLS = (("小红", "读书"), ("小丽", "写字"), ("小美", "唱歌"), ("小芳", "滑冰"), ("阿兰", "玩耍"), ("小雪", "干活"))
ANIMALS: tuple[Entity, ...] = tuple(
    {"name": name, "one": one, "food": food, "said": said, "moved": moved, "it": "它"}
    for name, one, food, said, moved in (
        ("猫", "只", "鱼", "喵喵叫", "跳"),
        ("狗", "只", "肉", "汪汪叫", "跑"),
        ("鸟", "只", "种子", "唧唧叫", "飞"),
        ("兔子", "只", "萝卜", "咕咕叫", "蹦"),
        ("鸭子", "只", "面包", "嘎嘎叫", "摇"),
        ("老鼠", "只", "奶酪", "吱吱叫", "溜"),
        ("马", "匹", "干草", "嘶嘶叫", "奔"),
        ("牛", "头", "青草", "哞哞叫", "走"),
        ("青蛙", "只", "虫子", "呱呱叫", "跃"),
        ("猪", "头", "玉米", "哼哼叫", "拱"),
    )
)
THINGS = (
    *(("球", "个"), ("书", "本"), ("帽子", "顶"), ("风筝", "只"), ("杯子", "个")),
    *(("书包", "个"), ("盒子", "个"), ("钥匙", "把"), ("鼓", "面"), ("灯", "盏")),
)
COLOURS = ("红色", "蓝色", "绿色", "黄色", "白色", "黑色")
PLACES = ("花园", "公园", "房子", "厨房", "学校", "森林", "田野", "谷仓")
SEATS = (("垫子", "软"), ("椅子", "硬"), ("桌子", "干净"), ("床", "暖和"), ("沙发", "大"), ("地毯", "厚"))
FRUITS = (("苹果", "个"), ("梨", "个"), ("鸡蛋", "个"), ("贝壳", "个"), ("石头", "块"))
NUMBERS = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九")
DIGITS = ("零", "一", "二", *NUMBERS[3:])  # "two" alone; before a measure word it is 两
JOBS = ("医生", "护士", "老师", "农民", "厨师")

SCENES = (
    # 动物和“它”：叫声、食物说明指的是哪一个
    Scene("sat because tired", "{c} 坐 在 {s} 上 ， 因为 {c.it?} (累/困/饿) 了 。", gives="c sat"),
    Scene("sat because soft", "{c} 坐 在 {s} 上 ， 因为 {s.it?} 很 {s.is} 。", gives="c sat", weight=0.5),
    Scene("sat and said", "{c} 坐 在 {s} 上 。 {c.it} {c.said} 。", gives="c sat", weight=2),
    Scene("has likes", "{A} 有 一 {c.one} {c} 。 {c.it} 喜欢 吃 {c.food} 。", gives="c", weight=2),
    Scene("hungry ate", "{c} 饿 了 ， 所以 {c.it} 吃 了 {c.food} 。", gives="c", weight=2),
    Scene("saw said", "{c} 看见 一 {d.one} {d} 。 {c.it} {c.said} ， {d} 也 {d.said} 。", gives="c d", weight=1.5),
    Scene("near ate", "{c} 坐 在 {d} 旁边 。 {c.it} 吃 了 {c.food} ， {d} 吃 了 {d.food} 。", gives="c d", weight=1.5),
    Scene("met moved", "{c} 遇见 {d} 。 {c.it} {c.moved} 到 {p} ， {d} {d.moved} 到 {q} 。", gives="c d"),
    Scene("moved", "{c} 在 {p} 里 。 {c.it} {c.said} ， 然后 {c.it} {c.moved} 进 了 {q} 。", gives="c", weight=2),
    Scene("called", "{A} 叫 {c} ， {c.it} 就 {c.moved} 到 {A.him} 身边 。", gives="c"),
    # 人，“他”和“她”：各人有各人的事
    Scene("two did", "{A} 和 {B} 在 {p} 里 。 {A.he} {A.did} ， {B.he} {B.did} 。", gives="p", weight=2),
    Scene("two did other", "{A} 和 {B} 在 {p} 里 。 {B.he} {B.did} ， {A.he} {A.did} 。", gives="p", weight=2),
    Scene("happy did", "{A} 很 高兴 ， 因为 {A.he} 整天 {A.did} 。", weight=1.5),
    Scene("saw did", "{A} 在 {p} 里 看见 {B} 。 {B.he} {B.did} 。", gives="p", weight=1.5),
    Scene("wanted", "{A} 想要 {x} ， {B} 想要 {y} 。", gives="xy", weight=1.5),
    Scene("gave", "{A} 把 {x} 送给 {B} 。 {B.he} 谢谢 {A.him} 。", gives="gave", weight=1.5),
    Scene("lost", "{A} 丢 了 {x} 。 {B} 找到 了 {x.it} ， 把 {x.it} 还给 {A.him} 。", gives="lost", weight=0.5),
    Scene("went", "{A} 去 了 {p} ， {B} 去 了 {q} 。", gives="went", weight=1.5),
    Scene("job", "{J} 回家 了 。 {J.he} 很 累 。", weight=0.7),
    # 颜色和数
    Scene("colours", "{A} 有 {x.colour} 的 {x} 和 {y.colour} 的 {y} 。", gives="colours", weight=2),
    Scene(
        "sum",
        "{A} 有 {n} {f.one} {f} 。 {B} 又 给 了 {A.him} {m} {f.one} 。 现在 {A.he} 有 {n.sum} {f.one} {f} 。",
        weight=0.7,
    ),
    # 跟我说：前面说的要照样说一遍
    Scene("again 3", "{A} 说 ： {r.a} {r.b} {r.c} 。 {B} 说 ： {r.a?} {r.b?} {r.c?} 。", gives="r"),
    Scene("again 4", "{A} 说 ： {r.a} {r.b} {r.c} {r.d} 。 {B} 说 ： {r.a?} {r.b?} {r.c?} {r.d?} 。", gives="r"),
    Scene(
        "again all",
        "{A} 说 ： {r.a} {r.b} {r.c} {r.d} 。 {B} 也 跟着 说 ： {r.a?} {r.b?} {r.c?} {r.d?} 。",
        gives="r",
    ),
    Scene("again two", "{A} 说 ： {r.a} {r.b} {r.c} {r.d} 。 然后 {B} 说 ： {r.c?} {r.d?} 。", gives="r"),
    # 量词：名词决定它前面的量词
    Scene("measure animals", "{p} 里 有 {n} {c.one} {c} 和 {m} {d.one} {d} 。", weight=0.7),
    Scene("measure things", "桌子 上 有 一 {x.one} {x} 和 一 {y.one} {y} 。", weight=0.5),
    # 小知识
    Scene("eats", "{c} 吃 什么 ？ {c} 吃 {c.food} 。", weight=0.5),
    Scene("says", "什么 动物 {c.said} ？ {c} {c.said} 。", weight=0.5),
    Scene("make", "{n.digit} 加 {m.digit} 等于 {n.total} 。", weight=0.5),
    Scene(
        "facts",
        "(雪/牛奶) 是 白色 的 。 (煤/夜) 是 黑色 的 。 (草/玉) 是 绿色 的 。 (血/火) 是 红色 的 。",
        weight=0.2,
    ),
)
QUESTIONS = (
    Scene("who has", "谁 有 {x} ？ {B?} 有 {x} 。", needs="gave"),
    Scene("colour x", "{x} 是 什么 颜色 的 ？ {x} 是 {x.colour?} 的 。", needs="colours"),
    Scene("colour y", "{y} 是 什么 颜色 的 ？ {y} 是 {y.colour?} 的 。", needs="colours"),
    Scene("where A", "{A} 在 哪里 ？ {A} 在 {p?} 里 。", needs="went"),
    Scene("where B", "{B} 在 哪里 ？ {B} 在 {q?} 里 。", needs="went"),
    Scene("where did", "{A} 在 哪里 ？ {A} 在 {p?} 里 。", needs="p"),
    Scene("where sat", "{c} 在 哪里 ？ {c.it} 在 {s?} 上 。", needs="sat"),
    Scene("who wanted x", "谁 想要 {x} ？ {A?} 想要 {x} 。", needs="xy"),
    Scene("who wanted y", "谁 想要 {y} ？ {B?} 想要 {y} 。", needs="xy"),
)
SECRET = "{place} 里 {colour} 的 门 是 {tens} {ones} 号 。"
TENS = ("二十", "三十", "四十", "五十", "六十", "七十", "八十", "九十")


def cast(drawn: Drawn) -> Cast:
    """The cast in Chinese."""
    people = [{"name": name, "did": did, **he} for (name, did), he in ((BOYS[drawn.boy], HE), (GIRLS[drawn.girl], SHE))]
    first, second = people if drawn.boy_first else people[::-1]
    x, y = (
        {"name": THINGS[thing][0], "one": THINGS[thing][1], "colour": COLOURS[colour], "it": "它"}
        for thing, colour in zip(drawn.things, drawn.colours, strict=True)
    )
    (fruit, measure), (seat, quality) = FRUITS[drawn.fruit], SEATS[drawn.seat]
    c, d = (ANIMALS[animal] for animal in drawn.animals)
    p, q = ({"name": PLACES[place]} for place in drawn.places)
    n, m, total = drawn.n, drawn.m, drawn.n + drawn.m
    return {
        **{"A": first, "B": second, "c": c, "d": d, "x": x, "y": y, "p": p, "q": q},
        **{"f": {"name": fruit, "one": measure}, "s": {"name": seat, "is": quality, "it": "它"}},
        "n": {"name": NUMBERS[n], "digit": DIGITS[n], "sum": NUMBERS[total], "total": DIGITS[total]},
        "m": {"name": NUMBERS[m], "digit": DIGITS[m]},
        "r": dict(zip("abcd", (DIGITS[number] for number in drawn.row), strict=True)),
        "J": {"name": JOBS[drawn.job], **(HE if drawn.man else SHE)},
    }


TELLER = Teller(SCENES, QUESTIONS, cast)
