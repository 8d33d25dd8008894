using System.Runtime.InteropServices;
using System.Security.Cryptography;
using LookaheadKV.Cache;
using LookaheadKV.Evaluation.Metrics;
using LookaheadKV.Evaluation.Samples;
using LookaheadKV.Evaluation.Tasks;

namespace LookaheadKV.Evaluation;

/// <summary>A prompt as a comparison runs it: its tokens, and what an answer to it is worth.</summary>
/// <param name="Task">The task's name.</param>
/// <param name="Scored">Tokens that are scored and evicted, N.</param>
/// <param name="Question">Tokens that follow them untouched; none where the question is part of what is scored.</param>
public abstract record ComparedPrompt(string Task, int[] Scored, int[] Question)
{
    /// <summary>What tells prompts apart: SHA-256 (64 hex digits) of the tokens of all of them.</summary>
    public static string Fingerprint(IEnumerable<ComparedPrompt> prompts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in prompts.SelectMany(prompt => new[] { prompt.Scored, prompt.Question }))
        {
            hash.AppendData(BitConverter.GetBytes(part.Length));
            hash.AppendData(MemoryMarshal.AsBytes(part.AsSpan()));
        }
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }

    /// <summary>A likely answer with its end token, or null: saves generating the model's own where it is the same.</summary>
    public abstract int[]? Guess { get; }

    /// <summary>Tokens that an answer may have, at least 1.</summary>
    public abstract int AnswerTokens { get; }

    /// <summary>What scores an answer: <see cref="MetricNames"/>.</summary>
    public abstract string Metric { get; }

    /// <summary>Score of the model's greedy answer on the full cache, 0..1; null where no right answer is known.</summary>
    /// <param name="response">The answer's tokens, the end token included where it was reached.</param>
    public abstract double? Score(IReadOnlyList<int> response);

    /// <summary>
    /// Score of the greedy answer over an evicted cache, 0..1; null where no right answer is known. The cache is consumed; it has room for question and
    /// answer.
    /// </summary>
    public abstract double? Score(PromptTrace trace, KeyValueCache cache, CancellationToken cancellation);
}

/// <summary>A prompt of the synthetic tasks, whose answer is right or wrong: 1 or 0, decided by teacher forcing in one pass.</summary>
public sealed record ExactPrompt : ComparedPrompt
{
    private readonly int[] _answer;

    /// <summary>Wraps a sample.</summary>
    /// <param name="sample">The sample.</param>
    /// <param name="query">Whether its question is part of what is scored.</param>
    /// <param name="encoder">The tokenizer that made its tokens.</param>
    public ExactPrompt(TaskSample sample, QueryMode query, PieceEncoder encoder)
        : base(sample.Task, [], [])
    {
        (Scored, Question) = QuerySplit.Of(sample, query, encoder);
        _answer = sample.AnswerIds;
    }

    /// <inheritdoc/>
    public override int[] Guess => _answer;

    /// <inheritdoc/>
    public override int AnswerTokens => _answer.Length;

    /// <inheritdoc/>
    public override string Metric => MetricNames.Exact;

    /// <inheritdoc/>
    public override double? Score(IReadOnlyList<int> response) => response.SequenceEqual(_answer) ? 1 : 0;

    /// <inheritdoc/>
    public override double? Score(PromptTrace trace, KeyValueCache cache, CancellationToken cancellation) =>
        trace.Answers(cache, _answer) ? 1 : 0;
}

/// <summary>A prompt of a benchmark: the answer is generated and its text scored by the benchmark's metric.</summary>
public sealed record MeasuredPrompt : ComparedPrompt
{
    private readonly EvaluationSample _sample;
    private readonly Func<IReadOnlyList<int>, string> _decode;

    /// <summary>Wraps a sample.</summary>
    /// <param name="sample">The sample.</param>
    /// <param name="scored">Tokens that are scored and evicted.</param>
    /// <param name="question">Tokens that follow them.</param>
    /// <param name="decode">The text of an answer, without special tokens.</param>
    public MeasuredPrompt(EvaluationSample sample, int[] scored, int[] question, Func<IReadOnlyList<int>, string> decode)
        : base(sample.Task, scored, question)
    {
        (_sample, _decode) = (sample, decode);
    }

    /// <inheritdoc/>
    public override int[]? Guess => null;

    /// <inheritdoc/>
    public override int AnswerTokens => _sample.MaxNewTokens;

    /// <inheritdoc/>
    public override string Metric => _sample.MetricName;

    /// <inheritdoc/>
    public override double? Score(IReadOnlyList<int> response) => _sample.Answers.Count == 0 ? null : _sample.Score(_decode(response));

    /// <inheritdoc/>
    public override double? Score(PromptTrace trace, KeyValueCache cache, CancellationToken cancellation) =>
        _sample.Answers.Count == 0 ? null : Score(trace.Generate(cache, AnswerTokens, cancellation));
}

/// <summary>A prompt that has no right answer: what the full cache says to it is held against what evicted caches would say (<see cref="Fidelity"/>).</summary>
/// <param name="Task">The task's name.</param>
/// <param name="Scored">Tokens that are scored and evicted, N.</param>
/// <param name="AnswerTokens">Tokens that the full cache's answer may have.</param>
public sealed record OpenPrompt(string Task, int[] Scored, int AnswerTokens) : ComparedPrompt(Task, Scored, [])
{
    /// <inheritdoc/>
    public override int[]? Guess => null;

    /// <inheritdoc/>
    public override int AnswerTokens { get; } = AnswerTokens;

    /// <inheritdoc/>
    public override string Metric => MetricNames.Mixed;

    /// <inheritdoc/>
    public override double? Score(IReadOnlyList<int> response) => null;

    /// <inheritdoc/>
    public override double? Score(PromptTrace trace, KeyValueCache cache, CancellationToken cancellation) => null;
}
