using LookaheadKV.Eviction;
using LookaheadKV.Lookahead;

namespace LookaheadKV.Methods;

/// <summary>LookaheadKV as a method: the scores of <see cref="LookaheadScore"/>, no pooling, nothing protected, so that the whole budget is the top C.</summary>
public static class LookaheadMethod
{
    /// <summary>The method under its name.</summary>
    public static Method Method { get; } =
        new(new EvictionPolicy { Name = LookaheadScore.MethodName })
        {
            Keeps = "what trained lookahead tokens behind the prompt attend to",
            Paper = new(
                "Ahn et al.",
                2026,
                "LookaheadKV: Fast and Accurate KV Cache Eviction by Glimpsing into the Future without Generation",
                "2603.10899"
            ),
            Needs = Needs.Modules,
            FigurePlace = 2,
            Scorer = given => new LookaheadScore(given.Module),
        };

    /// <summary>The policy of trained modules, without a budget.</summary>
    /// <param name="module">The modules; the caller owns them.</param>
    public static EvictionPolicy Policy(LookaheadModule module) => Method.Policy(new PolicyParts(Module: () => module));
}
