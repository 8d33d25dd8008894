namespace LookaheadKV.FSharp

open LookaheadKV.Budgeting
open LookaheadKV.Eviction
open LookaheadKV.Lookahead
open LookaheadKV.Scoring

/// How much of the prompt's cache is kept.
type Keep =
    /// This many entries a layer and kv head.
    | Tokens of int
    /// This share of the prompt, above 0, at most 1.
    | Share of float
    /// This many bytes for the whole cache.
    | Bytes of int64

/// How scores are smoothed over neighbouring positions.
type Smoothing =
    /// Each position by itself.
    | NoPooling
    /// The largest score within an odd number of positions.
    | MaxPooling of int
    /// The mean score within an odd number of positions.
    | MeanPooling of int

/// Policies as pipelines: <c>Policy.lookahead modules |> Policy.budget (Tokens 128) |> Policy.pooling NoPooling</c>.
module Policy =

    // C# records offer F# no `with`.
    let private changed pooling group protection (policy: EvictionPolicy) =
        EvictionPolicy(
            Name = policy.Name,
            Scorer = policy.Scorer,
            Budget = policy.Budget,
            Group = defaultArg group policy.Group,
            Pooling = defaultArg pooling policy.Pooling,
            Protection = defaultArg protection policy.Protection
        )

    /// Keeps everything.
    let full = Policies.Full

    /// The true importance of the model's own answer: the upper bound.
    let oracle = Policies.Oracle

    /// <summary>Seeded noise: the lower bound.</summary>
    let random (seed: int64) = Policies.Random seed

    /// The first four and the last tokens (StreamingLLM).
    let streaming = Policies.Streaming()

    /// SnapKV with its paper's window of 32 and max-pooling of 7.
    let snapkv = Policies.SnapKV()

    /// <summary>LookaheadKV with trained modules.</summary>
    let lookahead (modules: LookaheadModule) = Policies.Lookahead modules

    /// <summary>The same policy at a budget.</summary>
    /// <exception cref="T:LookaheadKV.InputException">The budget keeps nothing, or the share is above 1.</exception>
    let budget (keep: Keep) (policy: EvictionPolicy) =
        match keep with
        | Tokens count -> policy.With(Budget.Tokens count)
        | Share share -> policy.With(Budget.Ratio share)
        | Bytes count -> policy.With(Budget.Bytes count)

    /// <summary>The same policy with another smoothing.</summary>
    /// <exception cref="T:LookaheadKV.InputException">The width is not a positive odd number.</exception>
    let pooling (smoothing: Smoothing) (policy: EvictionPolicy) =
        let pooling =
            match smoothing with
            | NoPooling -> Pooling.None
            | MaxPooling width -> Pooling.Max width
            | MeanPooling width -> Pooling.Mean width

        policy |> changed (Some pooling) None None

    /// <summary>The same policy with another way to make one score of a group's query heads.</summary>
    let grouping (reduction: GroupReduction) (policy: EvictionPolicy) =
        policy |> changed None (Some reduction) None

    /// <summary>The same policy with positions that are kept whatever their score.</summary>
    let protect (protection: Protection) (policy: EvictionPolicy) =
        policy |> changed None None (Some protection)
