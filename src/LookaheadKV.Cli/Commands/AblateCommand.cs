using System.CommandLine;
using System.Diagnostics;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Studies;
using LookaheadKV.Evaluation.Tasks;
using LookaheadKV.Files;
using LookaheadKV.Models;
using LookaheadKV.Reports;
using LookaheadKV.Runtime;
using LookaheadKV.Text;
using TorchSharp;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead ablate</c>: a grid of trainings and measurements, resumable, in shards, merged into one table.</summary>
internal sealed class AblateCommand : Verb
{
    private readonly ModelOptions _model = new(
        "reference, compiled, fused or graph: how layers run [default: reference on the CPU, so that a cell depends on itself alone, else compiled]."
    );
    private readonly Option<string> _study = new("--study") { Description = "The study's JSON file.", Required = true };
    private readonly Output _out;
    private readonly Setting<Shard?> _shard = new(
        "--shard",
        "i/n, 1 ≤ i ≤ n: runs every n-th cell only; shards may run anywhere, at any time, on one folder.",
        Shard.Parse
    );
    private readonly Option<bool> _merge = new("--merge") { Description = "Runs nothing: merges what is there, or names what is missing." };
    private readonly Option<string?> _query = new("--query")
    {
        Description =
            "Runs nothing: asks the results that are there in DuckDB's SQL. The table `cells` has a row a number: all settings, seed, policy, budget, task, metric, value.",
    };

    private readonly Option<bool> _restart = new(Restart)
    {
        Description = "Give up all results in the folder, of this study or another, and begin anew.",
    };

    public AblateCommand()
        : base("ablate", "Run a study: a grid of trainings and measurements, resumable and shardable.")
    {
        _out = Output.Folder(
            "--out",
            "Folder of results [default: the study file's path without .json].",
            folder => Output.First(folder, (StudyFolder.TableFile, path => OwnFiles.FirstLineEnds(path, StudyTable.FixedColumns)))
        );
        _out.Fallback = call => Path.ChangeExtension(call.Value(_study), null);
        // The model and the seeds are the study's.
        AddAll([
            _study,
            _out,
            _shard,
            _merge,
            _query,
            _restart,
            .. _model.All.Where(option => option != _model.Model && option != _model.Seed),
        ]);
        AddRule(arguments =>
            new Option[] { _shard, _merge, _restart }
                .Where(other => IsGiven(arguments, _query) && IsGiven(arguments, other))
                .Select(other => $"--query runs nothing and asks all results that are there; leave {other.Name} out.")
        );
        AddRule(arguments =>
            new Option[] { _shard, _merge }
                .Where(other => IsGiven(arguments, _restart) && IsGiven(arguments, other))
                .Select(other => $"{Restart} gives up the results of all shards; leave {other.Name} out, or name another --out.")
        );
    }

    /// <summary>One of n equal parts.</summary>
    internal sealed record Shard(int Number, int Count)
    {
        public static Shard Parse(string text) =>
            text.Split('/') is [var i, var n]
            && int.TryParse(i, out var number)
            && int.TryParse(n, out var count)
            && number >= 1
            && number <= count
                ? new Shard(number, count)
                : throw new InputException($"\"{text}\" is no shard; write i/n with 1 ≤ i ≤ n, such as 2/12.");

        public bool Holds(int cell) => cell % Count == Number - 1;
    }

    protected override string WhenCancelled(Call call) => GoesOn(call);

    protected override Outcome Run(Call call)
    {
        var (path, shard) = (call.Value(_study), call.Value(_shard));
        var study = Study.Read(path);
        var place = _out.Path(call);
        var folderOfModel = ModelFolders.Resolve(study.Model);
        var (device, dtype) = _model.Place(call);
        var run = RunInfo.Of(call.CommandLine, 0, Devices.Describe(device), dtype.ToString().ToLowerInvariant(), study.Model);
        var folder = StudyFolder.Of(place, folderOfModel, dtype);
        if (call.Value(_query) is { } sql)
            return Query(call, sql, folder, study, run);
        var dependsOn = DependsOn(call, folderOfModel, run);
        if (call.Value(_restart))
            folder.Clear();
        else if (!call.Value(_merge) && folder.DifferenceTo(study.Cells, dependsOn) is { } difference)
            throw new InputException(
                $"{place} holds results of other settings ({difference}); name another folder, take the cells that are there as they are by {_merge.Name}, or begin anew by {Restart}."
            );
        var own = study.Cells.Index().Where(cell => shard?.Holds(cell.Index) ?? true).Select(cell => cell.Item).ToList();
        var todo = call.Value(_merge) ? [] : own.Where(cell => !folder.Has(cell)).ToList();
        call.Screen.Line(
            $"study {study.Name}: {study.Cells.Count} cells{(shard is null ? "" : $", {own.Count} of them in shard {shard.Number}/{shard.Count}")}; {todo.Count} to run → {place}"
        );
        if (todo.Count > 0)
        {
            WriteIncomplete(
                call,
                run,
                new
                {
                    study = study.Name,
                    finished = false,
                    missing = todo.Count,
                },
                anew: call.Value(_restart)
            );
            RunCells(call, folderOfModel, folder, todo, run, dependsOn);
        }
        var missing = study.Cells.Index().Where(cell => !folder.Has(cell.Item)).ToList();
        if (missing.Count > 0)
        {
            var first = missing[0].Item;
            var text =
                $"{missing.Count} of {study.Cells.Count} cells are missing, the first with {StudyTable.Label(first.Varied)}, seed {first.Seed}";
            // With a shard a cell, these are the shards to submit again.
            var numbers = string.Join(',', missing.Select(cell => cell.Index + 1));
            if (call.Value(_merge))
                throw new InputException($"{place}: {text}; run the study again for them (numbers {numbers}).");
            call.Screen.Line(text);
            return new Outcome(
                run,
                new
                {
                    study = study.Name,
                    finished = false,
                    missing = missing.Count,
                },
                Complete: false
            );
        }
        var results = study.Cells.Select(cell => (cell, folder.Read(cell))).ToList();
        var others = results.Count(result => result.Item2.Run.Commit != run.Commit);
        if (others > 0)
            call.Screen.Line($"{others} of the cells were made by other builds than this one ({run.Commit}), and stand as they are");
        var table = folder.WriteTable(StudyTable.Csv(results));
        var rows = StudyTable.Summarise(results);
        Show(call, rows);
        call.Screen.Line($"table → {table}");
        return new Outcome(
            run,
            new
            {
                study = study.Name,
                finished = true,
                rows,
            },
            Complete: true
        );
    }

    private static Outcome Query(Call call, string sql, StudyFolder folder, Study study, RunInfo run)
    {
        var answer = StudyQuery.run(sql, folder, study);
        // A query may ask for more columns than a drawn table has room for.
        call.Screen.Line(StudyQuery.show(answer));
        return new Outcome(
            run,
            new
            {
                study = study.Name,
                columns = answer.Columns,
                rows = answer.Rows,
            }
        );
    }

    /// <summary>What a cell's result depends on beside its settings and seed: contents of the model's files, the device, the build.</summary>
    private Func<CellSettings, RunSettings> DependsOn(Call call, string modelFolder, RunInfo run)
    {
        var (device, dtype) = _model.Place(call);
        var shared = RunSettings.None.With(
            ("model", FolderFingerprint.Of(modelFolder)[..CallSettings.Shown]),
            CallSettings.Tokenizer(modelFolder),
            ("--device", device.type.ToString().ToLowerInvariant()),
            ("--dtype", dtype.ToString().ToLowerInvariant()),
            ("version", $"{run.Version}+{run.Commit}")
        );
        var modules = new Lazy<string?>(() => CallSettings.OfFiles(ModelFolders.Lookahead(modelFolder), Lookahead.LookaheadFiles.All));
        var draft = new Lazy<string?>(() =>
            ModelFolders.Draft(modelFolder) is var place && ModelFiles.Exists(place)
                ? FolderFingerprint.Of(place)[..CallSettings.Shown]
                : null
        );
        return cell =>
            shared.With(
                ("modules", cell.Modules == ModuleSource.Shipped ? modules.Value : null),
                ("draft", cell.PolicyTexts.Any(policy => policy.NeedsDraft) ? draft.Value : null)
            );
    }

    private void RunCells(
        Call call,
        string modelFolder,
        StudyFolder folder,
        IReadOnlyList<StudyCell> cells,
        RunInfo run,
        Func<CellSettings, RunSettings> dependsOn
    )
    {
        var (device, dtype) = _model.Place(call);
        using var decoder = InputFile.Named(modelFolder, () => Decoder.Load(modelFolder, device, dtype));
        var model = new StudyModel(
            decoder,
            new PieceEncoder(Tokenizer.Load(modelFolder).Encode),
            () => Lookahead.LookaheadFiles.Load(ModelFolders.Lookahead(modelFolder), decoder.Config, device),
            () => Decoder.Load(ModelFolders.Draft(modelFolder), device, dtype)
        )
        {
            // Compiled layers round differently while they warm up, so that a cell would depend on those before it.
            Execution = _model.Execution(call) ?? (device.type == DeviceType.CPU ? Execution.Reference : Execution.Compiled),
        };
        call.Screen.Progress(
            "cell",
            tell =>
            {
                foreach (var (i, cell) in cells.Index())
                {
                    // Another shard's process may have had it in the meantime.
                    if (folder.Has(cell))
                        continue;
                    var clock = Stopwatch.StartNew();
                    var label = $"{StudyTable.Label(cell.Varied)}, seed {cell.Seed}";
                    var watch = call.Watch.Value;
                    var progress = new Inline<CellProgress>(p =>
                    {
                        tell(new Tick(i + (double)p.Done / p.Total, cells.Count, $"{label}: {p.Text} {p.Done}/{p.Total}"));
                        watch.PromptDone();
                    });
                    var measured = StudyCells.Run(model, cell.Settings, cell.Seed, progress, call.Cancellation);
                    folder.Write(
                        cell,
                        new CellResult(
                            cell.Settings,
                            cell.Seed,
                            measured,
                            run with
                            {
                                Seed = cell.Seed,
                            },
                            Math.Round(clock.Elapsed.TotalSeconds, 1),
                            dependsOn(cell.Settings)
                        )
                    );
                    tell(new Tick(i + 1, cells.Count, label));
                }
                return cells.Count;
            }
        );
    }

    // Of the modules: what they predict. Of the policies: their mean answers, at every budget.
    private static void Show(Call call, IReadOnlyList<StudyRow> rows)
    {
        var means = rows.Where(row => row.Task == ResultTable.Mean).ToList();
        var modules = means.Where(row => row.Policy == "").ToList();
        if (modules.Count > 0)
        {
            string[] metrics = [.. modules.Select(row => row.Metric).Distinct()];
            Table("modules", metrics, modules.GroupBy(row => StudyTable.Label(row.Varied)), row => row.Metric);
        }
        var answers = means.Where(row => row.Metric == "accuracy").ToList();
        string[] budgets = [.. answers.Select(row => row.Budget).Where(budget => budget != "").Distinct()];
        var byPolicy = answers
            .Where(row => row.Budget != "")
            .GroupBy(row => string.Join("; ", NotEmpty(StudyTable.Label(row.Varied), row.Policy)));
        Table("exact answers", budgets, byPolicy, row => row.Budget);

        static IEnumerable<string> NotEmpty(params string[] texts) => texts.Where(text => text != "");

        void Table(string title, string[] columns, IEnumerable<IGrouping<string, StudyRow>> groups, Func<StudyRow, string> column) =>
            call.Screen.Table(
                [title, .. columns],
                groups.Select(group =>
                    (IReadOnlyList<string>)[group.Key, .. columns.Select(name => Cell(group.FirstOrDefault(row => column(row) == name)))]
                )
            );

        static string Cell(StudyRow? row) =>
            row is null ? ""
            : row.Metric == "parameters" ? Units.Format($"{row.Mean:N0}")
            : Units.Format($"{row.Mean:0.000} ± {row.High - row.Mean:0.000}");
    }
}
