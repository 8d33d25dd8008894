namespace LookaheadKV.Evaluation.Tasks;

/// <summary>How often each task is drawn in training, relative to the others.</summary>
public sealed class TaskMixture
{
    private readonly double[] _weights;

    /// <summary>A mixture; a task without a weight is never drawn.</summary>
    /// <exception cref="InputException">A name is no task, a weight is negative or not finite, or none is positive.</exception>
    public TaskMixture(IReadOnlyDictionary<string, double> weights)
    {
        foreach (var (task, weight) in weights)
            if (!(weight >= 0) || double.IsInfinity(weight))
                throw new InputException($"weight {weight} of the task '{TaskNames.Check(task)}' is not allowed: use 0 or more");
            else
                TaskNames.Check(task);
        _weights = [.. TaskNames.All.Select(task => weights.GetValueOrDefault(task))];
        if (_weights.Sum() <= 0)
            throw new InputException("the task mixture has no positive weight: give at least one task a weight above 0");
    }

    private TaskMixture(double[] weights) => _weights = weights;

    /// <summary>All tasks, the harder ones a little more.</summary>
    public static TaskMixture Default { get; } =
        new(
            new Dictionary<string, double>
            {
                [TaskNames.Single] = 0.5,
                [TaskNames.MultiKey] = 1,
                [TaskNames.MultiValue] = 1.5,
                [TaskNames.MultiQuery] = 1.5,
                [TaskNames.QuestionFirst] = 1,
                [TaskNames.TwoHop] = 2,
                [TaskNames.Variables] = 2,
                [TaskNames.ListAll] = 1.5,
            }
        );

    /// <summary>The weight of a task.</summary>
    public double this[string task] => _weights[TaskNames.All.ToList().IndexOf(TaskNames.Check(task))];

    /// <summary>Draws a task.</summary>
    internal string Draw(RandomStream random) => TaskNames.All[random.PickWeighted(_weights)];

    /// <summary>The same weights, for the tasks that hold; null if none of them has a weight.</summary>
    internal TaskMixture? Among(Func<string, bool> holds)
    {
        double[] weights = [.. _weights.Select((weight, i) => holds(TaskNames.All[i]) ? weight : 0)];
        return weights.Sum() > 0 ? new TaskMixture(weights) : null;
    }
}
