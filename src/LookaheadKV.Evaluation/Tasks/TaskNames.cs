namespace LookaheadKV.Evaluation.Tasks;

/// <summary>The names of the synthetic tasks, as the command line and the result tables write them.</summary>
public static class TaskNames
{
    /// <summary>One fact in pure filler.</summary>
    public const string Single = "single";

    /// <summary>One of many facts; others share half of its key.</summary>
    public const string MultiKey = "multikey";

    /// <summary>All values of one key, scattered.</summary>
    public const string MultiValue = "multivalue";

    /// <summary>The values of several keys.</summary>
    public const string MultiQuery = "multiquery";

    /// <summary>As <see cref="MultiKey"/>, with the question before the text.</summary>
    public const string QuestionFirst = "questionfirst";

    /// <summary>A fact that leads to a second fact.</summary>
    public const string TwoHop = "twohop";

    /// <summary>A chain of variables down to its number.</summary>
    public const string Variables = "variables";

    /// <summary>Every fact of the text: the long answer.</summary>
    public const string ListAll = "listall";

    /// <summary>All tasks, in the order of the tables.</summary>
    public static IReadOnlyList<string> All { get; } =
    [Single, MultiKey, MultiValue, MultiQuery, QuestionFirst, TwoHop, Variables, ListAll];

    /// <summary>Returns <paramref name="task"/> if it is a task's name.</summary>
    /// <exception cref="InputException">It is not.</exception>
    public static string Check(string task) =>
        All.Contains(task) ? task : throw new InputException($"unknown task '{task}': choose one of {string.Join(", ", All)}");
}
