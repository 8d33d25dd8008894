using System.CommandLine;
using LookaheadKV.Budgeting;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Evaluation.Speed;
using LookaheadKV.Eviction;
using LookaheadKV.Lookahead;
using LookaheadKV.Methods;
using LookaheadKV.Models;
using LookaheadKV.Reports;
using LookaheadKV.Runtime;
using static TorchSharp.torch;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead bench</c>: what a policy costs in time and memory, on a real shape with random weights or on a model.</summary>
internal sealed class BenchCommand : Verb
{
    private readonly ModelOptions _model = new();
    private readonly Setting<string?> _shape = new(
        "--shape",
        $"Random weights of a real shape in place of --model: {string.Join(", ", ModelShapes.All.Keys)}.",
        Parsed.Shape
    );
    private readonly Setting<string?> _draftShape = new(
        "--draft-shape",
        "Shape of speckv's draft model, beside --shape; it must have the shape's vocabulary.",
        Parsed.Shape,
        "llama-3.2-1b"
    );
    private readonly Setting<IReadOnlyList<int>> _lengths = new("--lengths", "Prompt lengths in tokens.", Lengths, "2048");
    private static readonly Method[] Usual = [Full.Method, StreamingLlm.Method, KeyNorm.Method, SnapKV.Method, LookaheadMethod.Method];
    private readonly Setting<IReadOnlyList<PolicyText>> _policies = new(
        "--policies",
        $"Some of {string.Join(", ", Catalogue.Names)}; costs are told against {Full.Method.Name}.",
        PolicyText.ParseList,
        string.Join(',', Usual.Select(method => method.Name))
    );
    private readonly Setting<IReadOnlyList<Budget>> _budgets = new(
        "--budgets",
        "Kept a layer and kv head: tokens (64), shares of the prompt (5%), bytes in all (2MiB).",
        text => Parsed.List(text, Budget.Parse),
        "128"
    );
    private readonly Setting<int> _runs = Parsed.Count("--runs", "Measured rounds; medians are told.", 5);
    private readonly Setting<int> _warmUp = Parsed.Count("--warm-up", "Rounds before them.", 2, least: 0);
    private readonly Setting<int> _decode = Parsed.Count(
        "--decode",
        "Tokens decoded behind each prompt, after a first one that is timed by itself.",
        32
    );
    private readonly Option<bool> _steps = new("--steps")
    {
        Description = "Measure the steps of evicting one layer of --shape instead: score, select, compact, of LookaheadKV.",
    };
    private readonly ReportFolder _report = new();

    public BenchCommand()
        : base("bench", "Measure time to the first token, eviction cost, decoding and memory.")
    {
        AddAll([
            _shape,
            _lengths,
            _policies,
            _budgets,
            _runs,
            _warmUp,
            _decode,
            _draftShape,
            _steps,
            _report.Option,
            .. _model.WithPolicies,
        ]);
    }

    protected override Outcome Run(Call call)
    {
        var shape = call.Value(_shape);
        var (device, dtype) = _model.Place(call);
        var (lengths, texts) = (call.Value(_lengths), call.Value(_policies));
        var options = new SpeedOptions
        {
            Runs = call.Value(_runs),
            WarmUp = call.Value(_warmUp),
            DecodeTokens = call.Value(_decode),
            Seed = call.Value(_model.Seed),
            Execution = _model.Execution(call) ?? Execution.Compiled,
        };
        if (call.Value(_steps))
            return Steps(call, shape, options);
        var before = Devices.BytesInUse(device); // nothing of this process is on the device yet
        var context = OwnBytes(device, dtype) - before;
        var ceilings = new Lazy<DeviceCeilings>(() => DeviceCeilings.Measure(device, dtype));
        using var decoder = shape is null ? _model.Decoder(call) : Random(call, shape, options);
        Require(lengths.Max() + options.DrawnTokens, decoder);
        using var module = !texts.Any(text => text.NeedsModule) ? null : Module(call, decoder, shape);
        using var draft = !texts.Any(text => text.NeedsDraft) ? null : Draft(call, decoder, shape, options);
        var parts = new PolicyParts(() => module!, () => draft!, options.Seed);
        var budgets = call.Value(_budgets);
        EvictionPolicy[] policies =
        [
            .. texts
                .Select(text => text.Build(parts))
                .SelectMany(policy => policy.Scorer is null ? [policy] : budgets.Select(budget => policy with { Budget = budget })),
        ];
        var run = _model.Run(call, decoder, shape);
        call.Screen.Line($"model {run.Model}, {options.Execution}; device {run.Device}, {run.DType}");
        var rows = call.Screen.Progress(
            "measuring",
            report =>
                SpeedBenchmark
                    .Run(
                        decoder,
                        policies,
                        lengths,
                        ceilings,
                        options,
                        () => Devices.BytesInUse(device) - before,
                        (done, total) => report(new Tick(done, total, "")),
                        call.Cancellation
                    )
                    .ToList()
        );
        call.Screen.Line(
            Units.Format(
                $"ceilings measured: {ceilings.Value.FlopsPerSecond / 1e12:0.0} TFLOP/s in a large product, {ceilings.Value.BytesPerSecond / 1e9:0} GB/s in a large copy; floors are by these"
            )
        );
        call.Screen.Table(
            [
                "policy",
                "budget",
                "prompt",
                "first token ms",
                "floor",
                "cost ms",
                "cost",
                "first step ms",
                "decode ms",
                "floor",
                "cache",
                "device",
                "by shape",
            ],
            rows.Select(Cells)
        );
        _report.Write(call, folder => SpeedReport.Write(folder, run, rows));
        return new Outcome(
            run,
            new
            {
                execution = options.Execution.Name,
                ceilings = ceilings.Value,
                contextBytes = context,
                weightBytes = decoder.Weights.All.Sum(weight => weight.NumberOfElements * weight.element_size()),
                results = rows,
            }
        );
    }

    private Outcome Steps(Call call, string? shape, SpeedOptions options)
    {
        if (shape is null)
            throw new UsageException("--steps takes a layer of a --shape; name one.");
        var budgets = call.Value(_budgets);
        if (budgets is not [Budget.InTokens budget])
            throw new UsageException("--steps takes one budget in tokens, such as --budgets 128.");
        var (device, dtype) = _model.Place(call);
        var (config, lengths) = (ModelShapes.Find(shape), call.Value(_lengths));
        var ceilings = DeviceCeilings.Measure(device, dtype);
        var run = RunInfo.Of(call.CommandLine, options.Seed, Devices.Describe(device), dtype.ToString().ToLowerInvariant(), shape);
        var rows = call.Screen.Progress(
            "measuring",
            report =>
            {
                var done = new List<StepRow>();
                foreach (
                    var row in EvictionSteps.Measure(config, lengths, budget.Count, device, dtype, options, ceilings, call.Cancellation)
                )
                {
                    done.Add(row);
                    report(new Tick(done.Count, EvictionSteps.Names.Count * lengths.Count, $"{row.Step}, {row.Length} tokens"));
                }
                return done;
            }
        );
        call.Screen.Table(
            ["step", "prompt", "ms", "floor"],
            rows.Select(row =>
                (string[])[row.Step, $"{row.Length}", Units.Format($"{row.Ms:0.0000}"), Units.Format($"{row.FloorMs:0.0000}")]
            )
        );
        _report.Write(call, folder => SpeedReport.Write(folder, run, rows));
        return new Outcome(run, new { ceilings, results = rows });
    }

    private static string[] Cells(SpeedRow row) =>
        [
            row.Policy,
            row.Budget ?? "all",
            $"{row.Length}",
            Units.Format($"{row.TtftMs:0.0}"),
            Units.Format($"{row.PrefillFloorMs:0.0}"),
            row.CostMs is { } cost ? Units.Format($"{cost:0.0} ({row.CostLowMs:0.0} to {row.CostHighMs:0.0})") : "",
            row.CostShare is { } share ? Units.Format($"{100 * share:0.00} %") : "",
            Units.Format($"{row.FirstStepMs:0.0}"),
            Units.Format($"{row.DecodeMs:0.00}"),
            Units.Format($"{row.DecodeFloorMs:0.00}"),
            Units.Bytes(row.CacheBytes),
            row.DeviceBytes is { } bytes ? Units.Bytes(bytes) : "",
            row.PredictedMemory is { } memory ? Units.Bytes(memory.Total) : "",
        ];

    // A first product brings what CUDA and its libraries keep for themselves.
    private static long? OwnBytes(Device device, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        var matrix = ones(16, 16, dtype: dtype, device: device);
        matrix.matmul(matrix).sum().cpu();
        return Devices.BytesInUse(device);
    }

    private Decoder Random(Call call, string shape, SpeedOptions options)
    {
        var (device, dtype) = _model.Place(call);
        var longest = call.Value(_lengths).Max() + options.DrawnTokens;
        var config = ModelShapes.Find(shape);
        // Costs do not depend on what a model was trained to read.
        return ModelShapes.Random(
            config with
            {
                MaxPositions = Math.Max(config.MaxPositions, longest),
            },
            device,
            dtype,
            call.Value(_model.Seed)
        );
    }

    private LookaheadModule Module(Call call, Decoder decoder, string? shape) =>
        shape is null ? _model.Module(call, decoder) : LookaheadModule.Create(decoder.Config, device: decoder.Device);

    private Decoder Draft(Call call, Decoder decoder, string? shape, SpeedOptions options) =>
        shape is null ? _model.Draft(call, decoder) : Random(call, call.Value(_draftShape)!, options);

    private static void Require(int tokens, Decoder decoder)
    {
        if (tokens > decoder.Config.MaxPositions)
            throw new InputException(
                $"prompt and decoded tokens are {tokens}, the model's context is {decoder.Config.MaxPositions}; give shorter --lengths."
            );
    }

    private static IReadOnlyList<int> Lengths(string text) =>
        Parsed.List(
            text,
            part =>
                int.TryParse(part, out var length) && length >= 1
                    ? length
                    : throw new InputException($"\"{part}\" is not a whole number of 1 or more.")
        );
}
