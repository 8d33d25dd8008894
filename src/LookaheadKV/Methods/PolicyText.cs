using System.Globalization;
using LookaheadKV.Budgeting;
using LookaheadKV.Eviction;
using LookaheadKV.Scoring;

namespace LookaheadKV.Methods;

/// <summary>
/// A policy as it is written on a command line: a name, and in brackets what differs from the method's defaults, such as
/// <c>snapkv[window=16,pool=max:7]</c>. Options that are null keep the default.
/// </summary>
public sealed record PolicyText
{
    private const string PoolKey = "pool";
    private const string GroupKey = "group";
    private const string SinksKey = "sinks";
    private const string WindowKey = "window";
    private const string ProtectKey = "protect";
    private const string LayersKey = "layers";
    private const string HeadsKey = "heads";
    private const string SeedKey = "seed";
    private const string TokensKey = "tokens";
    private const string ChunkKey = "chunk";
    private const string HorizonKey = "horizon";
    private static readonly string[] ScorerKeys = [PoolKey, GroupKey, SinksKey, WindowKey, ProtectKey, LayersKey, HeadsKey];

    // Methods whose window is their observation window, not only protection.
    private static readonly string[] Observing = ["snapkv", "pyramidkv", "adakv", "laq", "speckv"];

    private static readonly Dictionary<string, string[]> KeysOf = new()
    {
        ["full"] = [],
        ["random"] = [.. ScorerKeys, SeedKey],
        ["streaming"] = ScorerKeys,
        ["h2o"] = ScorerKeys,
        ["tova"] = ScorerKeys,
        ["snapkv"] = ScorerKeys,
        ["pyramidkv"] = ScorerKeys,
        ["adakv"] = ScorerKeys,
        ["keynorm"] = ScorerKeys,
        ["keydiff"] = ScorerKeys,
        ["expected"] = [.. ScorerKeys, HorizonKey],
        ["kvzip"] = [.. ScorerKeys, ChunkKey],
        ["laq"] = [.. ScorerKeys, TokensKey],
        ["speckv"] = [.. ScorerKeys, TokensKey],
        ["lookahead"] = ScorerKeys,
        ["oracle"] = ScorerKeys,
    };

    // A method that someone has written, and what its constructor is given; null for those here.
    private OwnScorer? _own;
    private IReadOnlyDictionary<string, string> _arguments = new Dictionary<string, string>();

    private PolicyText() { }

    /// <summary>The names there are.</summary>
    public static IReadOnlyList<string> Methods { get; } = [.. KeysOf.Keys];

    /// <summary>The text itself, without white space: what tables call the policy.</summary>
    public required string Name { get; init; }

    /// <summary>The method's name.</summary>
    public required string Method { get; init; }

    /// <summary><c>pool=none</c>, <c>max:K</c> or <c>mean:K</c>: smoothing over neighbouring positions.</summary>
    public Pooling? Pooling { get; init; }

    /// <summary><c>group=mean</c> or <c>max</c>: how the query heads of a group become one score.</summary>
    public GroupReduction? Group { get; init; }

    /// <summary><c>sinks=N</c>: the first N positions are kept whatever their score.</summary>
    public int? Sinks
    {
        get;
        init => field = value.AtLeast(0, "sinks:", "give 0 or more tokens");
    }

    /// <summary><c>window=N</c>: the last N positions are kept whatever their score; for SnapKV its observation window too.</summary>
    public int? Window
    {
        get;
        init => field = value.AtLeast(0, "window:", "give 0 or more tokens");
    }

    /// <summary><c>protect=A+B-C</c>: these positions and ranges (ends included) are kept whatever their score.</summary>
    public EquatableList<int>? Protect { get; init; }

    /// <summary><c>layers=uniform</c>, <c>pyramid</c>, <c>pyramid:β</c> or <c>global</c>: how the budget is divided among the layers.</summary>
    public LayerAllocation? Layers { get; init; }

    /// <summary><c>heads=uniform</c>, <c>adaptive</c> or <c>adaptive:α</c>: how a layer's part is divided among its kv heads.</summary>
    public HeadAllocation? Heads { get; init; }

    /// <summary><c>tokens=N</c>: most tokens of the pseudo answer (laq) or the draft (speckv).</summary>
    public int? Tokens
    {
        get;
        init => field = value.AtLeast(1, "tokens:", "give 1 or more");
    }

    /// <summary><c>chunk=N</c>: tokens that kvzip replays at once.</summary>
    public int? Chunk
    {
        get;
        init => field = value.AtLeast(1, "chunk:", "give 1 or more tokens");
    }

    /// <summary><c>horizon=N</c>: positions at which expected attention expects queries.</summary>
    public int? Horizon
    {
        get;
        init => field = value.AtLeast(1, "horizon:", "give 1 or more positions");
    }

    /// <summary><c>seed=N</c>: seed of the random policy.</summary>
    public long? Seed { get; init; }

    /// <summary>Whether the method is one that someone has written.</summary>
    public bool IsOwn => _own is not null;

    /// <summary>Whether <see cref="Build"/> will ask for a trained lookahead module.</summary>
    public bool NeedsModule => Method == "lookahead";

    /// <summary>Whether <see cref="Build"/> will ask for a draft model.</summary>
    public bool NeedsDraft => Method == "speckv";

    /// <summary>Reads one policy.</summary>
    /// <exception cref="InputException">The name, an option or its value is not one of those allowed; the message lists them.</exception>
    public static PolicyText Parse(string text) => Parse(text, null);

    /// <summary>Reads one policy.</summary>
    /// <param name="text">A name, and options in brackets.</param>
    /// <param name="own">Methods beside those here, by their classes' names; their options are what their constructors ask for.</param>
    /// <exception cref="InputException">The name, an option or its value is not one of those allowed; the message lists them.</exception>
    public static PolicyText Parse(string text, OwnScorers? own)
    {
        var written = string.Concat(text.Where(c => !char.IsWhiteSpace(c)));
        var open = written.IndexOf('[');
        var method = open < 0 ? written : written[..open];
        var scorer = KeysOf.ContainsKey(method) ? null : own?.Find(method);
        if (!KeysOf.TryGetValue(method, out var keys))
            keys = scorer is not null
                ? [.. ScorerKeys.Union(scorer.Keys)]
                : throw new InputException($"unknown policy \"{method}\"; allowed: {string.Join(", ", Methods.Concat(own?.Names ?? []))}.");
        var policy = new PolicyText
        {
            Name = written,
            Method = method,
            _own = scorer,
        };
        if (open < 0)
            return policy;
        if (!written.EndsWith(']') || written.IndexOf(']') != written.Length - 1)
            throw new InputException($"policy \"{written}\": the brackets do not close at the end; write {method}[key=value,key=value].");
        var seen = new HashSet<string>();
        foreach (var option in written[(open + 1)..^1].Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            var (key, value) = option.Split('=', 2) is [var left, var right] ? (left, right) : (option, "");
            if (!keys.Contains(key))
                throw new InputException($"policy \"{written}\": unknown option \"{key}\"; allowed: {Allowed(keys)}.");
            if (!seen.Add(key))
                throw new InputException($"policy \"{written}\": option \"{key}\" comes twice; give it once.");
            if (scorer?.Keys.Contains(key) == true)
                policy = policy with { _arguments = new Dictionary<string, string>(policy._arguments) { [key] = value } };
            // A scorer's window is kept too, as those of the methods here are.
            if (scorer?.Keys.Contains(key) != true || key == WindowKey)
                policy = policy.WithOption(key, value);
        }
        if (policy is { Layers: LayerAllocation.Global, Heads: not null })
            throw new InputException($"policy \"{written}\": a global budget is divided among heads by itself; leave {HeadsKey} away.");
        if (method == "kvzip" && policy is { Layers: null, Heads: not null })
            throw new InputException(
                $"policy \"{written}\": kvzip's budget is global; give {LayersKey}=uniform or pyramid to divide it among {HeadsKey}."
            );
        return policy;
    }

    /// <summary>Reads a list separated by commas; those within brackets do not separate. <c>all</c> stands for every method with its defaults.</summary>
    /// <exception cref="InputException">A policy is wrong or comes twice, or there is none.</exception>
    public static IReadOnlyList<PolicyText> ParseList(string text) => ParseList(text, null);

    /// <summary>Reads a list separated by commas; those within brackets do not separate. <c>all</c> stands for every method with its defaults.</summary>
    /// <param name="text">The list.</param>
    /// <param name="own">Methods beside those here.</param>
    /// <exception cref="InputException">A policy is wrong or comes twice, or there is none.</exception>
    public static IReadOnlyList<PolicyText> ParseList(string text, OwnScorers? own)
    {
        var policies = Split(text)
            .Select(part => part.Trim())
            .Where(part => part.Length > 0)
            .SelectMany(part => part == "all" ? Methods : [part])
            .Select(part => Parse(part, own))
            .ToList();
        if (policies.Count == 0)
            throw new InputException($"no policy is named; allowed: {string.Join(", ", Methods)}.");
        if (policies.GroupBy(policy => policy.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new InputException($"policy \"{twice.Key}\" comes twice; name it once.");
        return policies;
    }

    /// <summary>The policy itself, without a budget.</summary>
    /// <param name="parts">What some methods need beside the text.</param>
    public EvictionPolicy Build(PolicyParts parts)
    {
        var policy = Method switch
        {
            "full" => Policies.Full,
            "random" => Policies.Random(Seed ?? parts.Seed),
            "streaming" => Policies.Streaming(),
            "h2o" => Policies.H2O(),
            "tova" => Policies.Tova,
            "snapkv" => Policies.SnapKV(Window ?? SnapKV.DefaultWindow),
            "pyramidkv" => Policies.PyramidKV(Window ?? SnapKV.DefaultWindow),
            "adakv" => Policies.AdaKV(Window ?? SnapKV.DefaultWindow),
            "keynorm" => Policies.KeyNorm,
            "keydiff" => Policies.KeyDiff,
            "expected" => Policies.Expected(Horizon ?? ExpectedAttention.DefaultHorizon),
            "kvzip" => Policies.KVzip(Chunk ?? KVzip.DefaultChunk),
            "laq" => Policies.Laq(Tokens ?? Laq.DefaultTokens, Window ?? Laq.DefaultWindow),
            "speckv" => Policies.SpecKV(parts.Draft(), Tokens ?? SpecKV.DefaultTokens, Window ?? SpecKV.DefaultWindow),
            "lookahead" => Policies.Lookahead(parts.Module()),
            "oracle" => Policies.Oracle,
            _ when _own is { } own => new EvictionPolicy { Name = Name, Scorer = own.Create(_arguments) },
            _ => throw new NotSupportedException(Method),
        };
        return policy with
        {
            Name = Name,
            Pooling = Pooling ?? policy.Pooling,
            Group = Group ?? policy.Group,
            Protection = new Protection(Sinks ?? policy.Protection.First, Window ?? policy.Protection.Last)
            {
                Given = Protect ?? policy.Protection.Given,
            },
            Layers = Layers ?? policy.Layers,
            Heads = Heads ?? policy.Heads,
        };
    }

    private PolicyText WithOption(string key, string value)
    {
        return key switch
        {
            PoolKey => this with { Pooling = PoolingOf(value) },
            GroupKey => this with
            {
                Group = value switch
                {
                    "mean" => GroupReduction.Mean,
                    "max" => GroupReduction.Max,
                    _ => throw Wrong("mean or max"),
                },
            },
            SinksKey => this with { Sinks = Count(0) },
            WindowKey => this with { Window = Count(Observing.Contains(Method) ? 1 : 0) },
            ProtectKey => this with { Protect = new(value.Split('+').SelectMany(Range).Distinct().Order()) },
            LayersKey => this with
            {
                Layers = value.Split(':', 2) switch
                {
                    ["uniform"] => LayerAllocation.Uniform,
                    ["global"] => new LayerAllocation.Global(),
                    ["pyramid"] => new LayerAllocation.Pyramid(),
                    ["pyramid", var beta] when Number(beta) is >= 1 and var b => new LayerAllocation.Pyramid(b),
                    _ => throw Wrong("uniform, pyramid, pyramid:β with β of 1 or more, or global"),
                },
            },
            HeadsKey => this with
            {
                Heads = value.Split(':', 2) switch
                {
                    ["uniform"] => HeadAllocation.Uniform,
                    ["adaptive"] => new HeadAllocation.Adaptive(),
                    ["adaptive", var floor] when Number(floor) is >= 0 and <= 1 and var f => new HeadAllocation.Adaptive(f),
                    _ => throw Wrong("uniform, adaptive, or adaptive:α with α of 0 to 1"),
                },
            },
            TokensKey => this with { Tokens = Count(1) },
            ChunkKey => this with { Chunk = Count(1) },
            HorizonKey => this with { Horizon = Count(1) },
            SeedKey => this with
            {
                Seed = long.TryParse(value, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var seed)
                    ? seed
                    : throw Wrong("a whole number"),
            },
            _ => throw new NotSupportedException(key),
        };

        int Count(int least) =>
            int.TryParse(value, NumberStyles.None, CultureInfo.InvariantCulture, out var count) && count >= least
                ? count
                : throw Wrong($"a number of tokens, {least} or more");

        static double? Number(string text) =>
            double.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number) ? number : null;

        IEnumerable<int> Range(string text)
        {
            var ends = text.Split('-')
                .Select(end => int.TryParse(end, NumberStyles.None, CultureInfo.InvariantCulture, out var at) ? at : -1)
                .ToArray();
            return ends is [>= 0] || ends is [>= 0, _] && ends[1] >= ends[0]
                ? Enumerable.Range(ends[0], ends[^1] - ends[0] + 1)
                : throw Wrong("positions and ranges joined by +, such as 3+10-19");
        }

        InputException Wrong(string allowed) => new($"policy \"{Name}\": {key}={value} is not allowed; give {allowed}.");
    }

    private Pooling PoolingOf(string value)
    {
        if (value == "none")
            return Scoring.Pooling.None;
        if (
            value.Split(':') is ["max" or "mean", var number]
            && int.TryParse(number, NumberStyles.None, null, out var width)
            && width % 2 == 1
        )
            return value.StartsWith("max", StringComparison.Ordinal) ? Scoring.Pooling.Max(width) : Scoring.Pooling.Mean(width);
        throw new InputException(
            $"policy \"{Name}\": pool={value} is not allowed; give none, max:K or mean:K with an odd K, such as max:7."
        );
    }

    private static IEnumerable<string> Split(string text)
    {
        var (start, depth) = (0, 0);
        for (var i = 0; i < text.Length; i++)
        {
            depth += text[i] switch
            {
                '[' => 1,
                ']' => -1,
                _ => 0,
            };
            if (text[i] != ',' || depth > 0)
                continue;
            yield return text[start..i];
            start = i + 1;
        }
        yield return text[start..];
    }

    private static string Allowed(string[] keys) => keys.Length == 0 ? "none" : string.Join(", ", keys);
}
