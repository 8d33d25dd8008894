using System.CommandLine;
using System.Globalization;
using LookaheadKV.Lookahead;
using LookaheadKV.Models;
using LookaheadKV.Training;

namespace LookaheadKV.Cli.Common;

/// <summary>The options that say what lookahead modules are, and what they are trained to predict.</summary>
internal sealed class ModuleOptions
{
    private const string Auto = "auto";

    // What `auto` is read as: no standard deviation is 0.
    private const double OfTheTable = 0;

    private readonly Setting<int> _tokens = Parsed.Count("--tokens", "n, lookahead tokens.", 32, most: LookaheadSettings.MostTokens);
    private readonly Setting<int> _rank = Parsed.Count(
        "--rank",
        "r of the LoRA pairs; 0 trains the tokens alone.",
        8,
        least: 0,
        most: LookaheadSettings.MostRank
    );
    private readonly Setting<double?> _alpha = Parsed.Number("--alpha", "LoRA deltas are scaled by alpha / r.", "32");
    private readonly Setting<double?> _std = new(
        "--embedding-std",
        $"Standard deviation of the lookahead tokens' random start; {Auto}: that of the model's embedding table [default: 0.02; {Auto} with --texts].",
        text =>
            text == Auto ? OfTheTable
            : double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var std) && double.IsFinite(std) && std > 0 ? std
            : throw new InputException($"\"{text}\" is neither {Auto} nor a number above 0.")
    );
    private readonly Setting<RowReduction> _rows = new(
        "--rows",
        "mean, max or power: how the attention of the lookahead rows becomes one score, in training and wherever the modules are used.",
        Parsed.Name<RowReduction>,
        "mean"
    );
    private readonly Setting<LookaheadObjective> _objective = new(
        "--objective",
        "kl (true from predicted, the paper's), reversekl or squares.",
        Parsed.Name<LookaheadObjective>,
        "kl"
    );
    private readonly Setting<TrainingTarget> _target = new(
        "--target",
        "attention (the paper's), or written: weighed by the norm of what each entry's value writes.",
        Parsed.Name<TrainingTarget>,
        "attention"
    );
    private readonly Setting<double?> _clip = Parsed.Number(
        "--clip",
        "Longer gradients are shortened to this norm [default: never; 1 with --texts]."
    );

    public IEnumerable<Option> All => [_tokens, _rank, _alpha, _std, _rows, _objective, _target, _clip];

    public int Tokens(Call call) => call.Value(_tokens);

    /// <summary>What a module is; prompts made of texts bring defaults that suit real models.</summary>
    public LookaheadSettings Settings(Call call, Decoder decoder, bool ofTexts) =>
        new()
        {
            Tokens = Tokens(call),
            Rank = call.Value(_rank),
            Alpha = call.Value(_alpha)!.Value,
            EmbeddingStd = (call.Value(_std) ?? (ofTexts ? OfTheTable : new LookaheadSettings().EmbeddingStd)) is var std and not OfTheTable
                ? std
                : LookaheadSettings.SpreadOf(decoder),
            Rows = call.Value(_rows),
        };

    /// <summary>The same training with what is asked for here.</summary>
    public LookaheadTrainerOptions Aimed(Call call, LookaheadTrainerOptions options, bool ofTexts) =>
        options with
        {
            Objective = call.Value(_objective),
            Target = call.Value(_target),
            ClipNorm = call.Value(_clip) ?? (ofTexts ? 1 : null),
        };

    /// <summary>Both in words.</summary>
    public static string Describe(LookaheadSettings settings, LookaheadTrainerOptions options) =>
        Units.Format($"embeddings from N(0, {settings.EmbeddingStd:0.####}), rows {Lower(settings.Rows)}, ")
        + Units.Format($"objective {Lower(options.Objective)} of {Lower(options.Target)}, ")
        + (options.ClipNorm is { } clip ? Units.Format($"gradients clipped to {clip}") : "gradients as they are");

    /// <summary>What of it stands in a module's folder.</summary>
    public static IEnumerable<KeyValuePair<string, object>> Recorded(LookaheadTrainerOptions options)
    {
        yield return new("objective", Lower(options.Objective));
        yield return new("target", Lower(options.Target));
        if (options.ClipNorm is { } clip)
            yield return new("clip", clip);
    }

    private static string Lower(Enum value) => value.ToString().ToLowerInvariant();
}
