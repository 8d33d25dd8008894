using System.CommandLine;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Text;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead tasks</c>: the task data itself.</summary>
internal sealed class TasksCommand : Verb
{
    private readonly Setting<IReadOnlyList<string>> _tasks = TaskList("--task");
    private readonly Setting<int> _length = Parsed.Count("--length", "Upper bound of a prompt's tokens.", 2048);
    private readonly Setting<int> _samples = Parsed.Count("--samples", "Prompts a task.", 12);
    private readonly Option<long> _seed = ModelOptions.NewSeed();
    private readonly Option<string> _model = ModelOptions.NewModel();
    private readonly Output _out = Output.File("--out", "JSON-lines file, one prompt a line.", OwnLines);

    public TasksCommand()
        : base("tasks", "Write the prompts and answers of tasks.")
    {
        _out.Required = true;
        AddAll(_tasks, _length, _samples, _seed, _model, _out);
    }

    /// <summary>An option for one task, several, or all.</summary>
    public static Setting<IReadOnlyList<string>> TaskList(string name) =>
        new(
            name,
            $"all, or some of {string.Join(", ", TaskNames.All)}.",
            text => text == "all" ? TaskNames.All : Parsed.List(text, TaskNames.Check),
            "all"
        );

    protected override bool UsesTensors => false;

    protected override Outcome Run(Call call)
    {
        var encoder = new PieceEncoder(Tokenizer.Load(ModelFolders.Resolve(call.Value(_model))).Encode);
        var (length, seed) = (call.Value(_length), call.Value(_seed));
        var samples = (
            from task in call.Value(_tasks)
            from index in Enumerable.Range(0, call.Value(_samples))
            select TaskGenerators.Generate(task, length, seed, index, encoder)
        );
        var count = 0;
        _out.Write(
            call,
            stream =>
            {
                foreach (var sample in samples)
                {
                    call.Cancellation.ThrowIfCancellationRequested();
                    JsonSerializer.Serialize(stream, Line(sample), JsonFiles.Options);
                    stream.WriteByte((byte)'\n');
                    count++;
                }
            }
        );
        var place = _out.Place(call);
        call.Screen.Line($"{count} prompts → {place}");
        return new Outcome(
            RunInfo.Of(call.CommandLine, seed, model: call.Value(_model)),
            new
            {
                @out = place,
                tasks = call.Value(_tasks),
                length,
                samples = count,
            }
        );
    }

    private static bool OwnLines(string path) => OwnFiles.IsObjectOf(path, "task", "prompt", "answer", "prompt_ids", "answer_ids");

    private static object Line(TaskSample sample) =>
        new
        {
            task = sample.Task,
            prompt = sample.Prompt,
            answer = sample.Answer,
            prompt_ids = sample.PromptIds,
            answer_ids = sample.AnswerIds,
        };
}
