"""Little stories in Chinese: the words, who may be in a story, and what may happen."""

import random

from playground.text.stories.grammar import Cast, Entity, Scene, Teller

HE, SHE = {"he": "他"}, {"he": "她"}
BOYS = ("小明", "小刚", "大伟", "小军", "阿强", "小龙")
GIRLS = ("小红", "小丽", "小美", "小芳", "阿兰", "小雪")
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
STATES = (
    ("饿", "吃", "面包"),
    ("渴", "喝", "水"),
    ("冷", "穿", "大衣"),
    ("无聊", "看", "电视"),
    ("忙", "写", "信"),
    ("困", "睡", "觉"),
)
FRUITS = (("苹果", "个"), ("梨", "个"), ("鸡蛋", "个"), ("贝壳", "个"), ("石头", "块"))
NUMBERS = ("零", "一", "两", "三", "四", "五", "六", "七", "八", "九")
DIGITS = ("零", "一", "二", *NUMBERS[3:])  # "two" alone; before a measure word it is 两
JOBS = (("医生", 0.9), ("护士", 0.1), ("老师", 0.5), ("农民", 0.5), ("厨师", 0.5))
"""谁做什么，其中男性占多大比例。前两个是有意放进去的偏见，好在模型里再找出来。"""

SCENES = (
    # 动物和“它”
    Scene("{c} 坐 在 {s} 上 ， 因为 {c.it?} (累/困/懒) 了 。", gives="c sat", weight=1.5),
    Scene("{c} 坐 在 {s} 上 ， 因为 {s.it?} 很 {s.is} 。", gives="c sat", weight=0.7),
    Scene("{c} 坐 在 {s} 上 。 {c.it} {c.said} 。", gives="c sat", weight=1.5),
    Scene("{A} 有 一 {c.one} {c} 。 {c.it} 喜欢 吃 {c.food} 。", gives="c"),
    Scene("{c} 饿 了 ， 所以 {c.it} 吃 了 {c.food} 。", gives="c", weight=1.5),
    Scene("{c} 看见 一 {d.one} {d} 。 {c.it} {c.said} ， {d} 也 {d.said} 。", gives="c d", weight=1.5),
    Scene("{c} 在 {p} 里 。 后来 {c.it} {c.moved} 进 了 {q} ， {c.it} {c.said} 。", gives="c"),
    Scene("{A} 叫 {c} ， {c.it} 就 {c.moved} 到 {A.he} 身边 。", gives="c"),
    Scene("一 {c.one} {c} 在 一 {d.one} {d} 旁边 。 {c} {c.said} ， 因为 {c.it} 害怕 。", gives="c d", weight=0.7),
    # 人，“他”和“她”
    Scene("{A} 想要 {x} ， {B} 想要 {y} 。 {A.he} 找到 了 {x} 。 {B.he} 找到 了 {y} 。", gives="xy", weight=2),
    Scene("{A} 喜欢 {f} ， {B} 喜欢 {g} 。 {B.he} 买 了 {g} ， {A.he} 买 了 {f} 。", weight=1.5),
    Scene("{A} {k} 了 。 {A.he} {k.did} 了 {k.some} 。", weight=1.5),
    Scene("{A} {k} 了 ， {B} {l} 了 。 {B.he} {l.did} 了 {l.some} ， {A.he} {k.did} 了 {k.some} 。", weight=1.5),
    Scene("{A} 把 {x} 送给 {B} 。 {B.he} 谢谢 {A.he} 。", gives="gave"),
    Scene("{A} 丢 了 {x} 。 {B} 在 {p} 里 找到 了 {x.it} ， 把 {x.it} 还给 {A.he} 。", gives="lost"),
    Scene("{A} 去 了 {p} ， {B} 去 了 {q} 。 {A.he} 整天 都 在 {p} 里 。", gives="went", weight=1.5),
    Scene("{J} 回家 了 。 {J.he} 很 累 。", weight=0.8),
    Scene("{J} 看见 {A} 。 {J.he} 对 {A.he} 笑 了 。", weight=0.8),
    # 颜色和数
    Scene("{A} 有 {x.colour} 的 {x} 和 {y.colour} 的 {y} 。", gives="colours", weight=1.5),
    Scene(
        "{A} 有 {n} {f.one} {f} 。 {B} 又 给 了 {A.he} {m} {f.one} 。 现在 {A.he} 有 {n.sum} {f.one} {f} 。",
        gives="sum",
    ),
    # 量词：名词决定它前面的量词
    Scene("{p} 里 有 {n} {c.one} {c} 和 {m} {d.one} {d} 。", weight=1.5),
    Scene("桌子 上 有 一 {x.one} {x} 和 一 {y.one} {y} 。", weight=0.7),
    # 小知识
    Scene("{c} 吃 什么 ？ {c} 吃 {c.food} 。", weight=0.7),
    Scene("什么 动物 {c.said} ？ {c} {c.said} 。", weight=0.7),
    Scene("{n.digit} 加 {m.digit} 等于 {n.total} 。", weight=0.7),
    Scene("(雪/牛奶) 是 白色 的 。 (煤/夜) 是 黑色 的 。 (草/叶子) 是 绿色 的 。 (血/火) 是 红色 的 。", weight=0.3),
    # 问前面说过的事
    Scene("谁 有 {x} ？ {B?} 有 {x} 。", needs="gave", weight=4),
    Scene("{x} 是 什么 颜色 的 ？ {x} 是 {x.colour?} 的 。", needs="colours", weight=4),
    Scene("{y} 是 什么 颜色 的 ？ {y} 是 {y.colour?} 的 。", needs="colours", weight=4),
    Scene("{A} 在 哪里 ？ {A} 在 {p?} 里 。", needs="went", weight=4),
    Scene("{B} 在 哪里 ？ {B} 在 {q?} 里 。", needs="went", weight=4),
    Scene("{c} 在 哪里 ？ {c.it} 在 {s?} 上 。", needs="sat", weight=4),
    Scene("谁 想要 {x} ？ {A?} 想要 {x} 。", needs="xy", weight=4),
    Scene("谁 想要 {y} ？ {B?} 想要 {y} 。", needs="xy", weight=4),
)
SECRET = "{place} 里 {colour} 的 门 是 {tens} {ones} 号 。"
TENS = ("二十", "三十", "四十", "五十", "六十", "七十", "八十", "九十")


def cast(rng: random.Random) -> Cast:
    """Who and what one story is about; A and B are of different gender, so that every pronoun means one of them."""
    boy, girl = {"name": rng.choice(BOYS), **HE}, {"name": rng.choice(GIRLS), **SHE}
    first, second = rng.sample([boy, girl], 2)
    animals = rng.sample(ANIMALS, 2)
    things, colours = rng.sample(THINGS, 2), rng.sample(COLOURS, 2)
    places = rng.sample(PLACES, 2)
    seat, quality = rng.choice(SEATS)
    states, fruits = rng.sample(STATES, 2), rng.sample(FRUITS, 2)
    n = rng.randint(1, 8)
    m = rng.randint(1, 9 - n)
    job, men = rng.choice(JOBS)
    x, y = (
        {"name": name, "one": one, "colour": colour, "it": "它"}
        for (name, one), colour in zip(things, colours, strict=True)
    )
    k, l = ({"name": name, "did": did, "some": some} for name, did, some in states)
    f, g = ({"name": name, "one": one} for name, one in fruits)
    return {
        **{"A": first, "B": second, "c": animals[0], "d": animals[1], "x": x, "y": y, "k": k, "l": l, "f": f, "g": g},
        **{"p": {"name": places[0]}, "q": {"name": places[1]}, "s": {"name": seat, "is": quality, "it": "它"}},
        **{"n": {"name": NUMBERS[n], "digit": DIGITS[n], "sum": NUMBERS[n + m], "total": DIGITS[n + m]}},
        "m": {"name": NUMBERS[m], "digit": DIGITS[m]},
        "J": {"name": job, **(HE if rng.random() < men else SHE)},
    }


TELLER = Teller(SCENES, cast)
