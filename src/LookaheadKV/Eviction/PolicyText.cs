using System.Globalization;
using LookaheadKV.Lookahead;
using LookaheadKV.Scoring;

namespace LookaheadKV.Eviction;

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
    private const string SeedKey = "seed";
    private static readonly string[] ScorerKeys = [PoolKey, GroupKey, SinksKey, WindowKey];

    private static readonly Dictionary<string, string[]> KeysOf = new()
    {
        ["full"] = [],
        ["random"] = [.. ScorerKeys, SeedKey],
        ["streaming"] = ScorerKeys,
        ["snapkv"] = ScorerKeys,
        ["lookahead"] = ScorerKeys,
        ["oracle"] = ScorerKeys,
    };

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
    public int? Sinks { get; init; }

    /// <summary><c>window=N</c>: the last N positions are kept whatever their score; for SnapKV its observation window too.</summary>
    public int? Window { get; init; }

    /// <summary><c>seed=N</c>: seed of the random policy.</summary>
    public long? Seed { get; init; }

    /// <summary>Whether <see cref="Build"/> will ask for a trained lookahead module.</summary>
    public bool NeedsModule => Method == "lookahead";

    /// <summary>Reads one policy.</summary>
    /// <exception cref="InputException">The name, an option or its value is not one of those allowed; the message lists them.</exception>
    public static PolicyText Parse(string text)
    {
        var written = string.Concat(text.Where(c => !char.IsWhiteSpace(c)));
        var open = written.IndexOf('[');
        var method = open < 0 ? written : written[..open];
        if (!KeysOf.TryGetValue(method, out var keys))
            throw new InputException($"unknown policy \"{method}\"; allowed: {string.Join(", ", Methods)}.");
        var policy = new PolicyText { Name = written, Method = method };
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
            policy = policy.WithOption(key, value);
        }
        return policy;
    }

    /// <summary>Reads a list separated by commas; those within brackets do not separate.</summary>
    /// <exception cref="InputException">A policy is wrong or comes twice, or there is none.</exception>
    public static IReadOnlyList<PolicyText> ParseList(string text)
    {
        var policies = Split(text).Where(part => part.Trim().Length > 0).Select(Parse).ToList();
        if (policies.Count == 0)
            throw new InputException($"no policy is named; allowed: {string.Join(", ", Methods)}.");
        if (policies.GroupBy(policy => policy.Name).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new InputException($"policy \"{twice.Key}\" comes twice; name it once.");
        return policies;
    }

    /// <summary>The policy itself, without a budget.</summary>
    /// <param name="module">Gives the trained module; called only where <see cref="NeedsModule"/>.</param>
    /// <param name="seed">Seed of the random policy unless the text has one.</param>
    public EvictionPolicy Build(Func<LookaheadModule> module, long seed = 0)
    {
        var policy = Method switch
        {
            "full" => Policies.Full,
            "random" => Policies.Random(Seed ?? seed),
            "streaming" => Policies.Streaming(),
            "snapkv" => Policies.SnapKV(Window ?? SnapKV.DefaultWindow),
            "lookahead" => Policies.Lookahead(module()),
            "oracle" => Policies.Oracle,
            _ => throw new NotSupportedException(Method),
        };
        return policy with
        {
            Name = Name,
            Pooling = Pooling ?? policy.Pooling,
            Group = Group ?? policy.Group,
            Protection = new Protection(Sinks ?? policy.Protection.First, Window ?? policy.Protection.Last),
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
            WindowKey => this with { Window = Count(Method == "snapkv" ? 1 : 0) },
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
