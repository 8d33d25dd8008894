using System.CommandLine;
using System.Diagnostics;
using LookaheadKV.Budgeting;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Files;
using LookaheadKV.Generation;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Reports;
using LookaheadKV.Runtime;
using LookaheadKV.Text;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead compare</c>: tasks under every policy and budget, with intervals, and an HTML report.</summary>
internal sealed class CompareCommand : Verb
{
    // One fact, facts asked for before the text, and the long answer.
    private static readonly string[] Telling = [TaskNames.MultiKey, TaskNames.QuestionFirst, TaskNames.ListAll];
    private readonly ModelOptions _model = new();
    private readonly Option<string> _policies = new("--policies")
    {
        Description = $"Some of {PolicyText.Help}.",
        // Those that figures know by their colours.
        DefaultValueFactory = _ =>
            string.Join(',', Catalogue.Methods.Where(method => method.FigurePlace is not null).Select(method => method.Name)),
    };
    private readonly Option<string[]> _scorers = new("--scorer")
    {
        Description =
            "Assembly (.dll) with scorers of your own: a policy is then called by its class, options in brackets are what its constructor takes. May be given several times.",
    };
    private readonly Setting<IReadOnlyList<Budget>> _budgets = new(
        "--budgets",
        "Kept a layer and kv head: tokens (64), shares of the prompt (5%), bytes in all (2MiB).",
        text => Parsed.List(text, Budget.Parse),
        "32,64,128,256"
    );
    private readonly BenchmarkOptions _tasks = new();
    private readonly Setting<int> _length = Parsed.Count("--length", "Upper bound of a prompt's tokens.", 2048);
    private readonly Setting<int> _samples = Parsed.Count("--samples", "Prompts a task.", 12);

    private readonly Setting<QueryMode> _query = new(
        "--query",
        "aware: the question is part of what is scored; agnostic: the context is evicted before the question comes.",
        text => Parsed.Name<QueryMode>(text),
        "aware"
    );

    private readonly Option<bool> _fidelity = new("--fidelity")
    {
        Description =
            "Measure how near each cache stays to the full one over the full cache's own answer (always, where prompts have no right answers).",
    };
    private readonly Setting<int> _fidelityTokens = Parsed.Count(
        "--fidelity-tokens",
        "Longest answer over which fidelity is measured.",
        64
    );
    private readonly Option<string?> _baseline = new("--baseline")
    {
        Description = "A policy of --policies: every other one is held against it, prompt by prompt, with what is settled and what is not.",
    };

    private readonly ReportFolder _report = new();
    private readonly Option<bool> _restart = new(Restart)
    {
        Description = "Give up what an earlier call left at the same --json or --report, and begin anew.",
    };

    public CompareCommand()
        : base("compare", "Compare policies at several budgets on long-context tasks.")
    {
        AddAll([
            _model.Model,
            _policies,
            _scorers,
            _budgets,
            .. _tasks.Options,
            _length,
            _samples,
            _query,
            _fidelity,
            _fidelityTokens,
            _baseline,
            _report.Option,
            _restart,
            .. _model.WithPolicies.Skip(1),
        ]);
        Validators.Add(result =>
        {
            try
            {
                if (result.GetResult(_scorers) is null && result.GetResult(_policies)?.Tokens is [var given])
                    PolicyText.ParseList(given.Value);
            }
            catch (InputException e)
            {
                result.AddError($"--policies: {e.Message}");
            }
        });
    }

    protected override string WhenCancelled(Call call) =>
        Kept(call) is not null ? GoesOn(call) : "nothing is kept: with --json or --report, what is done is, and the same command goes on.";

    private string? Kept(Call call) => PartialComparison.Place(JsonFile(call), _report.PathIfAny(call));

    protected override Outcome Run(Call call)
    {
        var (texts, budgets) = (Asked(call), call.Value(_budgets));
        var baseline = call.Value(_baseline);
        if (baseline is not null && texts.All(text => text.Name != baseline))
            throw new InputException(
                $"--baseline {baseline} is none of --policies; name one of {string.Join(", ", texts.Select(t => t.Name))}."
            );
        call.Screen.Line(
            $"model {call.Value(_model.Model)}; policies {string.Join(", ", texts.Select(t => t.Name))}; budgets {string.Join(", ", budgets)}"
        );
        ModelOptions.Tell(call, GenerationSettings.Of(_model.Folder(call)), "all policies answer with the most likely tokens");
        using var decoder = _model.Decoder(call);
        var run = _model.Run(call, decoder);
        call.Screen.Line($"device {run.Device}, {run.DType}, seed {run.Seed}, version {run.Version} ({run.Commit})");
        var tokenizer = _model.Tokenizer(call);
        using var module = texts.Any(text => text.NeedsModule) ? _model.Module(call, decoder) : null;
        using var draft = texts.Any(text => text.NeedsDraft) ? _model.Draft(call, decoder) : null;
        var parts = new PolicyParts(() => module!, () => draft!, run.Seed);
        var options = new CompareOptions
        {
            Policies = [.. texts.Select(text => text.Build(parts))],
            Budgets = budgets,
            Tasks = _tasks.Synthetic(call),
            Length = Length(call, decoder),
            Samples = call.Value(_samples),
            Seed = run.Seed,
            Query = call.Value(_query),
            Execution = _model.Execution(call) ?? Execution.Compiled,
            FidelityTokens = call.Value(_fidelity) || _tasks.HasTexts(call) ? call.Value(_fidelityTokens) : null,
        };
        Require(options, decoder);
        var sources = _tasks.Sources(call, _model.Folder(call), tokenizer, options);
        string[] tasks = [.. sources.Select(source => source.Task)];
        call.Screen.Line(
            $"tasks {string.Join(", ", tasks)}; {options.Samples} prompts each of up to {options.Length} tokens, query-{CompareTables.Name(options.Query)}"
        );
        var settings = Settings(call, texts, sources, run);
        var restart = call.Value(_restart) || call.Overwrites;
        using var log = PartialComparison.Open(Kept(call), JsonFile(call), settings, restart);
        if (log?.Earlier is { Count: > 0 } earlier)
            call.Screen.Line($"{earlier.Count} prompts are done already: going on behind them ({Restart} begins anew)");
        var results = Results(call, decoder, sources, options, run, settings, log);
        var leftOut = SanityGates.LeftOut(ResultTable.Summarise(results, run.Seed, query: options.Query));
        var rows = ResultTable.Summarise(results, run.Seed, leftOut, options.Query);
        var refusals = SanityGates.Refusals(rows);
        CompareTables.Show(call.Screen, rows, tasks, leftOut);
        var paired = baseline is null ? null : PairedTable.Against(results, baseline, run.Seed);
        CompareTables.ShowFidelity(call.Screen, rows, paired ?? [], baseline);
        foreach (var refusal in refusals)
            call.Arguments.InvocationConfiguration.Error.WriteLine($"refused: {refusal}");
        _report.Write(call, folder => Report.Write(folder, run, rows, [.. Anatomies(call, decoder, tokenizer, options)]));
        var numbers = new
        {
            settings = settings.Values,
            results = rows,
            leftOut,
            refusals,
            baseline,
            paired,
            prompts = options.FidelityTokens is null ? null : results,
        };
        return new Outcome(run, numbers, refusals.Count == 0 ? ExitCode.Done : ExitCode.Refused, Complete: true)
        {
            Written = () => log?.Delete(),
        };
    }

    /// <summary>What the results depend on: the options, what stands in the files that they name, the prompts, the build.</summary>
    private RunSettings Settings(Call call, IReadOnlyList<PolicyText> texts, IReadOnlyList<PromptSource> sources, RunInfo run)
    {
        var (modules, draft) = (texts.Any(text => text.NeedsModule), texts.Any(text => text.NeedsDraft));
        return CallSettings
            .Of(call)
            .With([
                .. _model.Fingerprints(call, modules, draft),
                ("prompts", ComparedPrompt.Fingerprint(sources.Select(source => source.Prompt(0)))[..CallSettings.Shown]),
                ("version", $"{run.Version}+{run.Commit}"),
            ]);
    }

    /// <summary>Runs the prompts that are not done yet; each is kept when it is, and the file of <c>--json</c> tells how far it is.</summary>
    private IReadOnlyList<PromptResult> Results(
        Call call,
        Decoder decoder,
        IReadOnlyList<PromptSource> sources,
        CompareOptions options,
        RunInfo run,
        RunSettings settings,
        ComparisonLog? log
    )
    {
        var (earlier, done) = (log?.Earlier ?? [], new List<PromptResult>());
        var (clock, next, prompts) = (Stopwatch.StartNew(), TimeSpan.Zero, 0);
        try
        {
            return call.Screen.Progress(
                "prompt",
                tell =>
                {
                    var sofar = new SoFar(options.Budgets[0]);
                    var watch = call.Watch.Value;
                    return Comparison.Run(decoder, sources, options, new Inline<CompareProgress>(Add), call.Cancellation, earlier);

                    void Add(CompareProgress p)
                    {
                        prompts = p.Done;
                        done.AddRange(p.Latest);
                        if (p.Done > earlier.Count)
                        {
                            log?.Add(p.Latest);
                            watch.PromptDone();
                        }
                        if (p.Done >= earlier.Count && clock.Elapsed >= next)
                            next = Tell();
                        tell(new Tick(p.Done, p.Total, $"{p.Task}; {sofar.Add(p.Latest)}"));
                    }
                }
            );
        }
        catch (OperationCanceledException) when (prompts > 0)
        {
            Tell();
            throw;
        }

        // Summing up costs time too, of which it shall take no more than a twentieth.
        TimeSpan Tell()
        {
            var began = clock.Elapsed;
            WriteIncomplete(
                call,
                run,
                new
                {
                    settings = settings.Values,
                    prompts,
                    results = ResultTable.Summarise(done, run.Seed, query: options.Query),
                },
                anew: call.Value(_restart) || call.Overwrites
            );
            return clock.Elapsed + TimeSpan.FromSeconds(5) + 20 * (clock.Elapsed - began);
        }
    }

    // Questions of one's own are read whole, unless someone says how much of them.
    private int Length(Call call, Decoder decoder) =>
        _tasks.IsOwnAlone(call) && call.Arguments.GetResult(_length) is not { Implicit: false }
            ? Math.Max(1, decoder.Config.MaxPositions - OwnQuestions.AnswerTokens)
            : call.Value(_length);

    // With scorers of one's own, what is a policy is known only when they are loaded.
    private IReadOnlyList<PolicyText> Asked(Call call)
    {
        var own = OwnScorers.Load(call.Value(_scorers));
        try
        {
            var texts = PolicyText.ParseList(call.Value(_policies), own);
            foreach (var text in texts.Where(text => text.Method.Needs == Needs.None))
                text.Build(); // the constructor of one's own may refuse its options
            return texts;
        }
        catch (InputException e)
        {
            throw new UsageException($"--policies: {e.Message}");
        }
    }

    /// <summary>A prompt of each of a few tasks, looked into at a small budget, the oracle's choice among the others.</summary>
    private static IEnumerable<Anatomy> Anatomies(Call call, Decoder decoder, Tokenizer tokenizer, CompareOptions options)
    {
        var encoder = new PieceEncoder(tokenizer.Encode);
        var policies = options.Policies.Append(Oracle.Method.Policy()).DistinctBy(policy => policy.Name).ToList();
        var budget = options.Budgets[(options.Budgets.Count - 1) / 2];
        foreach (var task in Telling.Intersect(options.Tasks).DefaultIfEmpty(options.Tasks.FirstOrDefault()).OfType<string>())
        {
            call.Cancellation.ThrowIfCancellationRequested();
            var sample = TaskGenerators.Generate(task, options.Length, options.Seed, 0, encoder);
            yield return Inspection.Inspect(decoder, tokenizer, sample, policies, budget);
        }
    }

    /// <summary>Whether every budget can hold what every policy protects: better known before the first prompt than after.</summary>
    private static void Require(CompareOptions options, Decoder decoder)
    {
        if (options.Length > decoder.Config.MaxPositions)
            throw new InputException(
                $"--length {options.Length} is beyond the model's context of {decoder.Config.MaxPositions} tokens; lower it."
            );
        foreach (var policy in options.Policies.Where(policy => policy.Scorer is not null))
        foreach (var budget in options.Budgets)
        {
            var held = policy.Protection.Count(options.Length);
            InputFile.Named(
                $"--policies {policy.Name} --budgets {budget}",
                () => budget.EntriesFor(options.Length, decoder.Config, Session.ElementSize(decoder), held)
            );
        }
    }

    /// <summary>Sum of the scores so far at the first budget, a policy each: what one watches while it runs.</summary>
    private sealed class SoFar(Budget budget)
    {
        private readonly Dictionary<string, (double Right, int All)> _counts = [];

        public string Add(IReadOnlyList<PromptResult> results)
        {
            foreach (var result in results.Where(r => r.Budget is null || r.Budget == budget.ToString()))
            {
                var (right, all) = _counts.GetValueOrDefault(result.Policy);
                if (result.Score is { } score)
                    _counts[result.Policy] = (right + score, all + 1);
            }
            if (_counts.Count == 0)
                return "";
            return $"score at {budget}: "
                + string.Join(", ", _counts.Select(c => Units.Format($"{c.Key} {c.Value.Right:0.##}/{c.Value.All}")));
        }
    }
}
