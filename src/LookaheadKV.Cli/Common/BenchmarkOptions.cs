using System.CommandLine;
using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.LongBench;
using LookaheadKV.Evaluation.LongProc;
using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Evaluation.Ruler;
using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Text;
using LookaheadKV.Training.Texts;

namespace LookaheadKV.Cli.Common;

/// <summary>The options that say which tasks are run: the synthetic ones, RULER's, and those of benchmark files.</summary>
internal sealed class BenchmarkOptions
{
    private const string All = "all";
    private const string Ruler = "ruler";

    private static readonly string[] Known = [.. TaskNames.All, .. RulerTasks.Names];

    // Tokens of an HTML→TSV answer: enough for LongProc's group 2k.
    private const int TableTokens = 3072;

    // Within a chat template a prompt and its answer prefix may have a few tokens more than as one text.
    private const int Joints = 8;

    private readonly Setting<IReadOnlyList<string>> _tasks = new(
        "--tasks",
        $"{All} (the synthetic tasks), {Ruler} (RULER's tasks), or some of {string.Join(", ", Known)} [default: {All}, or those of the files given].",
        text => [.. Parsed.List(text, Named).SelectMany(static names => names).Distinct()]
    );
    private readonly Option<string?> _squad = new("--squad") { Description = "SQuAD's JSON file, for RULER's qa_1." };
    private readonly Option<string?> _hotpot = new("--hotpot") { Description = "HotpotQA's JSON file, for RULER's qa_2." };
    private readonly Option<string?> _essays = new("--essays")
    {
        Description = "Folder of texts (*.txt) in which RULER's needles are hidden [default: generated sentences].",
    };
    private readonly Option<string[]> _longBench = new("--longbench")
    {
        Description = "JSONL file of LongBench; its data sets become tasks. May be given several times.",
    };
    private readonly Option<string?> _longProc = new("--longproc") { Description = "JSON or JSONL file of LongProc's HTML→TSV task." };
    private readonly Option<string[]> _data = new("--data")
    {
        Description =
            $"JSONL file of your own questions: context, question, and where known answers (a list) and metric ({string.Join(", ", MetricNames.Names)} [default: {OwnQuestions.DefaultMetric}]). May be given several times; with it alone, prompts may be as long as the model reads.",
    };
    private readonly Option<string?> _texts = new("--texts")
    {
        Description =
            "Folder of texts (*.txt) that nothing was trained on: tasks continue and summary, of exactly --length tokens, without right answers (--fidelity is measured).",
    };
    private readonly TemplateOptions _template = new(
        $"Chat template for RULER and files [default: the model's, or {TemplateOptions.Raw} where it has none]"
    );

    public IEnumerable<Option> Options => [_tasks, _squad, _hotpot, _essays, _longBench, _longProc, _texts, _data, .. _template.All];

    /// <summary>Whether the caller's own questions are all that is asked.</summary>
    public bool IsOwnAlone(Call call) =>
        call.Value(_data).Length > 0 && call.Value(_longBench).Length == 0 && call.Value(_longProc) is null && Tasks(call).Count == 0;

    /// <summary>Whether some prompts have no right answers.</summary>
    public bool HasTexts(Call call) => call.Value(_texts) is not null;

    /// <summary>The synthetic tasks among those asked for.</summary>
    public IReadOnlyList<string> Synthetic(Call call) => [.. Tasks(call).Intersect(TaskNames.All)];

    /// <summary>Where the prompts of all tasks come from. Files are read here, so that what is wrong with them is known at once.</summary>
    public IReadOnlyList<PromptSource> Sources(Call call, string folder, Tokenizer tokenizer, CompareOptions options)
    {
        var encoder = new PieceEncoder(tokenizer.Encode);
        var form = new Lazy<PromptForm>(() => new(tokenizer, Template(call, folder)));
        var squad = call.Value(_squad) is { } squadFile ? QuestionFile.ReadSquad(squadFile) : null;
        var hotpot = call.Value(_hotpot) is { } hotpotFile ? QuestionFile.ReadHotpot(hotpotFile) : null;
        var essays = call.Value(_essays) is { } texts ? Essays.Read(texts) : null;
        return
        [
            .. Tasks(call).Select(task => RulerTasks.Names.Contains(task) ? OfRuler(task) : PromptSource.OfTask(task, options, encoder)),
            .. (call.Value(_longBench) ?? []).SelectMany(OfLongBench),
            .. call.Value(_longProc) is { } file ? [OfLongProc(file)] : Array.Empty<PromptSource>(),
            .. call.Value(_texts) is { } pieces ? OfTexts(pieces) : [],
            .. call.Value(_data).Select(OfOwn),
        ];

        PromptSource OfOwn(string path)
        {
            var samples = OwnQuestions.Read(path);
            var name = Path.GetFileName(path);
            if (call.Value(_data).Count(other => Path.GetFileName(other) == name) > 1)
                throw new UsageException($"--data: two files are called {name}, and tasks are told apart by that; rename one.");
            if (samples.Count > options.Samples)
                call.Screen.Line(
                    $"{name}: the first {options.Samples} of its {samples.Count} questions; --samples {samples.Count} asks all"
                );
            var cut = samples.Take(options.Samples).Count(sample => form.Value.Count(sample.Prompt) > options.Length);
            if (cut > 0)
                call.Screen.Line(
                    $"{name}: {cut} of its prompts are longer than {options.Length} tokens and lose their middle; a greater --length keeps it"
                );
            return PromptSource.OfBenchmark(name, samples.Count, index => samples[index], form.Value, options);
        }

        IReadOnlyList<PromptSource> OfTexts(string texts)
        {
            var frame = form.Value.Template is { } template ? PromptFrame.Of(template, tokenizer) : null;
            return InputFile.Named("--texts " + texts, () => PromptSource.OfTexts(TextCorpus.Read(texts), tokenizer, frame, options));
        }

        PromptSource OfRuler(string task)
        {
            var questions = task switch
            {
                RulerTasks.Squad => squad
                    ?? throw new UsageException($"{task} asks questions of SQuAD: give its file by --squad, or leave the task out."),
                RulerTasks.Hotpot => hotpot
                    ?? throw new UsageException($"{task} asks questions of HotpotQA: give its file by --hotpot, or leave the task out."),
                _ => null,
            };
            var joints = form.Value.Template is null ? 0 : Joints;
            return PromptSource.OfBenchmark(
                task,
                int.MaxValue,
                index =>
                    RulerTasks.Generate(
                        task,
                        options.Length,
                        options.Seed,
                        index,
                        text => form.Value.Count(text) + joints,
                        questions,
                        essays
                    ),
                form.Value,
                options
            );
        }

        IEnumerable<PromptSource> OfLongBench(string file)
        {
            var first = new Dictionary<string, List<LongBenchRecord>>();
            foreach (var record in LongBenchFile.Read(file))
            {
                if (!first.TryGetValue(record.Dataset, out var records))
                    first[record.Dataset] = records = [];
                if (records.Count < options.Samples)
                    records.Add(record);
            }
            return first.Select(set =>
                PromptSource.OfBenchmark(set.Key, set.Value.Count, index => LongBenchDataset.Sample(set.Value[index]), form.Value, options)
            );
        }

        PromptSource OfLongProc(string file)
        {
            HtmlToTsvRecord[] records = [.. HtmlToTsvFile.Read(file)];
            return PromptSource.OfBenchmark(
                HtmlToTsvRecord.Task,
                records.Length,
                index => records[index].Sample(TableTokens),
                form.Value,
                options
            );
        }
    }

    private IReadOnlyList<string> Tasks(Call call)
    {
        if (call.Value(_tasks) is not { } asked)
            return
                (call.Value(_longBench) ?? []).Length > 0
                || call.Value(_longProc) is not null
                || HasTexts(call)
                || call.Value(_data).Length > 0
                ? []
                : TaskNames.All;
        // Of "ruler", what can be asked without a file; by its name, each must have what it needs.
        return
        [
            .. asked.Where(task =>
                call.Arguments.GetValue<string?>(_tasks)!.Split(',', StringSplitOptions.TrimEntries).Contains(task)
                || !NeedsFile(task)
                || Has(task)
            ),
        ];

        bool NeedsFile(string task) => task is RulerTasks.Squad or RulerTasks.Hotpot;
        bool Has(string task) => call.Value(task == RulerTasks.Squad ? _squad : _hotpot) is not null;
    }

    private ChatTemplate? Template(Call call, string model) =>
        _template.Read(call, model, () => ChatTemplate.IsIn(model) ? ChatTemplate.Of(model) : null);

    private static IReadOnlyList<string> Named(string name) =>
        name switch
        {
            All => TaskNames.All,
            Ruler => RulerTasks.Names,
            _ when Known.Contains(name) => [name],
            _ => throw new InputException($"unknown task '{name}': choose {All}, {Ruler} or some of {string.Join(", ", Known)}."),
        };
}
