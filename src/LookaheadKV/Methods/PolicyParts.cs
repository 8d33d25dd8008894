using LookaheadKV.Lookahead;
using LookaheadKV.Models;

namespace LookaheadKV.Methods;

/// <summary>What some policies are built from beside their text; each is asked for only where a policy needs it.</summary>
/// <param name="Module">Gives the trained lookahead module; the caller owns it.</param>
/// <param name="Draft">Gives the draft model; the caller owns it.</param>
/// <param name="Seed">Seed of the random policy unless its text has one.</param>
public sealed record PolicyParts(Func<LookaheadModule>? Module = null, Func<Decoder>? Draft = null, long Seed = 0);
