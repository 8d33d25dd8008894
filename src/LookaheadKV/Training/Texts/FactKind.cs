namespace LookaheadKV.Training.Texts;

/// <summary>
/// One kind of facts: things and their values, made of random numbers so that nothing can be known beforehand; <c>{e}</c> stands for the thing, <c>{v}</c>
/// for its value, <c>{es}</c> for several things.
/// </summary>
/// <param name="Name">Its name.</param>
/// <param name="Thing">Makes a thing.</param>
/// <param name="Value">Makes a value.</param>
/// <param name="Statements">How a text may state it.</param>
/// <param name="Questions">How one may be asked for.</param>
/// <param name="Several">How those of several things may be asked for.</param>
/// <param name="Every">How all values of one thing may be asked for.</param>
/// <param name="Opening">How an answer may begin.</param>
internal sealed record FactKind(
    string Name,
    Func<RandomStream, string> Thing,
    Func<RandomStream, string> Value,
    IReadOnlyList<string> Statements,
    IReadOnlyList<string> Questions,
    IReadOnlyList<string> Several,
    IReadOnlyList<string> Every,
    string Opening
)
{
    /// <summary>All kinds.</summary>
    public static IReadOnlyList<FactKind> All { get; } =
    [
        new(
            "code",
            random =>
                $"the {FactWords.Adjective(random)} {random.Pick<string>(["locker", "safe", "gate", "cabinet", "vault", "shed", "garage"])}",
            random => FactWords.Digits(random, random.Between(4, 7)),
            [
                "The code for {e} is {v}.",
                "{e} opens when you enter {v}.",
                "They changed the code of {e} to {v} last week.",
                "Nobody gets into {e} without typing {v}.",
            ],
            ["Which code opens {e}?", "What has to be entered to get into {e}?", "I am standing in front of {e}. Which code do I need?"],
            ["Which codes open {es}?", "I need the codes of {es}."],
            ["Several codes open {e}. Which ones?", "Give every code that opens {e}."],
            "The code of {e} is"
        ),
        new(
            "ledger",
            random => $"{FactWords.Adjective(random)}-{FactWords.Noun(random)}",
            random => FactWords.Digits(random, random.Between(5, 8)),
            [
                "The figure noted beside {e} reads {v}.",
                "In the ledger, {e} is entered with {v}.",
                "{v} is what the ledger gives for {e}.",
                "Beside the entry {e} somebody had written {v}.",
            ],
            ["Which figure does the ledger give for {e}?", "What was written beside {e}?", "Look up {e}: what is its figure?"],
            ["Which figures belong to {es}?", "Look up the figures of {es}."],
            ["Which figures were entered for {e}? Name all of them.", "Collect all the figures of {e}."],
            "The figure beside {e} is"
        ),
        new(
            "telephone",
            FactWords.Person,
            random => $"{FactWords.Digits(random, 3)}-{FactWords.Digits(random, 4)}",
            [
                "{e} can be reached at {v}.",
                "The telephone number of {e} is {v}.",
                "Dial {v} and ask for {e}.",
                "If in doubt, call {e} ({v}).",
            ],
            ["How can I reach {e} by telephone?", "Which number do I dial for {e}?", "What is {e}'s telephone number?"],
            ["Under which numbers can {es} be reached?", "Find the telephone numbers of {es}."],
            ["{e} has several telephone numbers. List them.", "Under which numbers can {e} be called?"],
            "{e} can be reached at"
        ),
        new(
            "home",
            FactWords.Person,
            FactWords.Place,
            [
                "{e} grew up in {v}.",
                "The family of {e} comes from {v}.",
                "{v} is the town where {e} was born.",
                "As everybody knew, {e} was a native of {v}.",
            ],
            ["Where does {e} come from?", "In which town was {e} born?", "Name the home town of {e}."],
            ["Where do {es} come from?", "Name the home towns of {es}."],
            ["In which towns is {e} said to have been at home?", "Name all the towns that {e} comes from."],
            "{e} comes from"
        ),
        new(
            "owner",
            random => $"the {FactWords.Adjective(random)} {FactWords.Noun(random)}",
            FactWords.Person,
            ["{e} belongs to {v}.", "The owner of {e} is {v}.", "{v} has owned {e} for years.", "It was {v} who bought {e}."],
            ["To whom does {e} belong?", "Who owns {e}?", "Whose property is {e}?"],
            ["Who owns {es}?", "Name the owners of {es}."],
            ["{e} has several owners. Who are they?", "Name everybody who owns {e}."],
            "{e} belongs to"
        ),
        new(
            "date",
            random =>
                $"the {random.Pick<string>(["auction", "concert", "meeting", "trial", "wedding", "regatta", "fair"])} in {FactWords.Place(random)}",
            FactWords.Date,
            ["{e} took place on {v}.", "They held {e} on {v}.", "On {v}, people came from far away for {e}.", "The date of {e} was {v}."],
            ["When did {e} take place?", "On which day was {e}?", "Give the date of {e}."],
            ["When did {es} take place?", "Give the dates of {es}."],
            ["{e} took place more than once. On which days?", "Give all the dates of {e}."],
            "The date of {e} was"
        ),
        new(
            "watchword",
            random => $"the {FactWords.Noun(random)} of {FactWords.Person(random)}",
            random => $"{FactWords.Adjective(random)} {FactWords.Noun(random)}",
            [
                "The watchword of {e} is \"{v}\".",
                "Whoever asks for {e} has to say \"{v}\".",
                "\"{v}\" was agreed upon for {e}.",
                "For {e} they settled on the words \"{v}\".",
            ],
            ["What does one have to say for {e}?", "Which words were agreed upon for {e}?", "Tell me the watchword of {e}."],
            ["Which watchwords belong to {es}?", "Tell me the watchwords of {es}."],
            ["Which watchwords were agreed upon for {e}? Name every one.", "Several watchwords go with {e}. Which?"],
            "The watchword of {e} is"
        ),
        new(
            "cargo",
            random => $"the ship {FactWords.Place(random)}",
            random =>
                $"{random.Between(12, 989)} {random.Pick<string>(["crates", "barrels", "sacks", "bales"])} of {random.Pick<string>(["salt", "tea", "copper", "wool", "oranges", "paper", "rice", "coal"])}",
            ["{e} carried {v}.", "They loaded {v} onto {e}.", "On board {e} were {v}.", "{v} went out with {e}."],
            ["What did {e} carry?", "What was loaded onto {e}?", "Describe the cargo of {e}."],
            ["What did {es} carry?", "Describe the cargoes of {es}."],
            ["What was loaded onto {e}? Name everything.", "List the whole cargo of {e}."],
            "{e} carried"
        ),
        new(
            "serial",
            random =>
                $"the {random.Pick<string>(["pump", "press", "engine", "lathe", "clock", "radio", "printer"])} in {random.Pick<string>(["room", "hall", "workshop"])} {random.Between(2, 480)}",
            random => FactWords.Letters(random, 3, upper: true) + "-" + FactWords.Hex(random, 6),
            [
                "The serial number of {e} is {v}.",
                "{v} is stamped on {e}.",
                "{e} carries the number {v}.",
                "On the plate of {e} one reads {v}.",
            ],
            ["What is the serial number of {e}?", "Which number is stamped on {e}?", "Read me the plate of {e}."],
            ["Which serial numbers do {es} have?", "Find the serial numbers of {es}."],
            ["Which numbers are stamped on {e}? Give all of them.", "List the serial numbers of {e}."],
            "The serial number of {e} is"
        ),
        new(
            "key",
            random => $"record {FactWords.Hex(random, 8)}",
            random => $"{FactWords.Hex(random, 8)}-{FactWords.Hex(random, 4)}-{FactWords.Hex(random, 12)}",
            ["{e} points to {v}.", "The entry of {e} is {v}.", "{e}: {v}.", "Whoever looks for {v} finds it in {e}."],
            ["Where does {e} point to?", "What is the entry of {e}?", "Give the entry stored in {e}."],
            ["Where do {es} point to?", "Give the entries of {es}."],
            ["Which entries does {e} have? Give all of them.", "List everything stored in {e}."],
            "The entry of {e} is"
        ),
    ];
}
