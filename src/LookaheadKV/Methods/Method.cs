using LookaheadKV.Eviction;
using LookaheadKV.Scoring;

namespace LookaheadKV.Methods;

/// <summary>
/// A method of eviction under its name: the recipe with its paper's defaults, the scorer, and what there is to say about both. A method's file holds its
/// own, <see cref="Catalogue"/> lists them, and everything that knows methods by name reads it there: policy texts, help, tables, documents, figures.
/// </summary>
/// <param name="Defaults">Its recipe, without scorer and budget; the name is the method's.</param>
public sealed record Method(EvictionPolicy Defaults)
{
    /// <summary>The name in policy texts, tables and figures: unique, in lower case.</summary>
    public string Name => Defaults.Name;

    /// <summary>What it keeps, in a line that goes on from "keeps".</summary>
    public required string Keeps { get; init; }

    /// <summary>Where it was published; null for the bounds.</summary>
    public Paper? Paper { get; init; }

    /// <summary>What may stand in brackets beside the <see cref="Modifiers"/> that all methods share. One of a modifier's name takes its place; <c>window</c> sets both.</summary>
    public IReadOnlyList<Parameter> Parameters { get; init; } = [];

    /// <summary>What it reads beside the prompt's keys and values.</summary>
    public Needs Needs { get; init; }

    /// <summary>When it evicts.</summary>
    public Phases Phases { get; init; } = Phases.Prefill;

    /// <summary>Passes over as many tokens as the prompt has, the prompt's own included: what it costs, in prefills.</summary>
    public int Prefills { get; init; } = 1;

    /// <summary>Its place in the order of figures, which is the number of its own colour; null where it takes one that others leave.</summary>
    public int? FigurePlace { get; init; }

    /// <summary>Makes the scorer; null keeps the whole cache.</summary>
    public Func<Arguments, IScorer>? Scorer { get; init; }

    /// <summary>The options of every scorer that may stand in brackets.</summary>
    public IReadOnlyList<Modifier> Modifiers => Scorer is null ? [] : Modifier.All;

    /// <summary>The policy with the method's defaults, without a budget.</summary>
    /// <param name="parts">What some methods need beside their name.</param>
    /// <exception cref="InputException">It needs a part that is not given.</exception>
    public EvictionPolicy Policy(PolicyParts? parts = null) => Policy(new Arguments(new Dictionary<string, object>(), parts ?? new()));

    internal EvictionPolicy Policy(Arguments given) => Defaults with { Scorer = Scorer?.Invoke(given) };
}

/// <summary>Where a method was published.</summary>
/// <param name="Authors">The first author and "et al.".</param>
/// <param name="Year">Of its first version.</param>
/// <param name="Title">As it stands on the first page.</param>
/// <param name="ArXiv">Its number there, such as 2404.14469.</param>
public sealed record Paper(string Authors, int Year, string Title, string ArXiv);

/// <summary>What a method reads beside the keys and values of the prompt's entries in a layer.</summary>
[Flags]
public enum Needs
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The prompt's queries.</summary>
    Queries = 1,

    /// <summary>The full caches of all layers at once, so that nothing is evicted before the pass is over.</summary>
    AllLayers = 2,

    /// <summary>The budget: another one, other scores.</summary>
    Budget = 4,

    /// <summary>Another pass over the prompt.</summary>
    Replay = 8,

    /// <summary>An answer that is written first; prompts are then scored one by one.</summary>
    Answer = 16,

    /// <summary>A smaller model with the same tokenizer.</summary>
    Draft = 32,

    /// <summary>Modules that were trained for the model.</summary>
    Modules = 64,
}

/// <summary><see cref="Needs"/> as they are told.</summary>
public static class NeedsNames
{
    private static readonly IReadOnlyDictionary<Needs, string> Words = new Dictionary<Needs, string>
    {
        [Needs.Queries] = "the prompt's queries",
        [Needs.AllLayers] = "all layers",
        [Needs.Budget] = "the budget",
        [Needs.Replay] = "a replay of the prompt",
        [Needs.Answer] = "an answer",
        [Needs.Draft] = "a draft model",
        [Needs.Modules] = "trained modules",
    };

    /// <summary>Each need in words.</summary>
    public static IReadOnlyList<string> InWords(this Needs needs) =>
        [.. Words.Where(word => needs.HasFlag(word.Key)).Select(word => word.Value)];
}

/// <summary>When a method evicts.</summary>
[Flags]
public enum Phases
{
    /// <summary>After the prompt, before the first token of the answer.</summary>
    Prefill = 1,

    /// <summary>While the answer is written.</summary>
    Decode = 2,
}
