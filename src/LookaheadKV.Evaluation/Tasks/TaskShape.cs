namespace LookaheadKV.Evaluation.Tasks;

/// <summary>What kind of facts a group holds; the facts of a group belong together.</summary>
internal enum GroupKind
{
    /// <summary>One code.</summary>
    Code,

    /// <summary>The places one person visited.</summary>
    Visits,

    /// <summary>What a person carries and what it opens.</summary>
    Carry,

    /// <summary>A chain of variables down to a number, in the order of definition.</summary>
    Chain,
}

/// <summary>What a task's document holds.</summary>
/// <param name="Task">The task's name.</param>
/// <param name="Kind">The kind of its facts.</param>
/// <param name="LeastSize">How few things the answer may list where a short text has no room for more.</param>
/// <param name="Size">How many things the answer lists: codes, visits, links of the chain.</param>
/// <param name="Groups">How many groups the text holds in all where there is room; (0, 0): those that are asked for and no other.</param>
internal sealed record TaskShape(string Task, GroupKind Kind, int LeastSize, (int Low, int High) Size, (int Low, int High) Groups)
{
    private static readonly Dictionary<string, TaskShape> All = new TaskShape[]
    {
        new(TaskNames.Single, GroupKind.Code, 1, (1, 1), (0, 0)),
        new(TaskNames.MultiKey, GroupKind.Code, 1, (1, 1), (8, 24)),
        new(TaskNames.MultiValue, GroupKind.Visits, 2, (2, 4), (4, 10)),
        new(TaskNames.MultiQuery, GroupKind.Code, 2, (4, 4), (8, 24)),
        new(TaskNames.QuestionFirst, GroupKind.Code, 1, (1, 1), (8, 24)),
        new(TaskNames.TwoHop, GroupKind.Carry, 1, (1, 1), (3, 8)),
        new(TaskNames.Variables, GroupKind.Chain, 2, (2, 4), (3, 6)),
        new(TaskNames.ListAll, GroupKind.Code, 2, (4, 8), (0, 0)),
    }.ToDictionary(static shape => shape.Task);

    /// <summary>How many groups the question asks for.</summary>
    public int Asked(int size) => Kind is GroupKind.Code ? size : 1;

    /// <summary>How many groups the text must hold at least: one that is not asked for makes it a choice.</summary>
    public int Least(int size) => Asked(size) + (Groups.High == 0 ? 0 : 1);

    /// <summary>The shape of a task.</summary>
    public static TaskShape Of(string task) => All[TaskNames.Check(task)];
}
