using System.Runtime.CompilerServices;
using LookaheadKV.Models;
using LookaheadKV.Text;
using static TorchSharp.torch;

namespace LookaheadKV.Generation;

/// <summary>The answer of a session as it is drawn: its tokens, and their text.</summary>
public static class TextStream
{
    /// <summary>
    /// Draws tokens one after the other, until an end token (which is returned too) or the limit. Called again, it goes on behind the last token, as
    /// <see cref="Session.Generate"/> does.
    /// </summary>
    /// <param name="session">The session.</param>
    /// <param name="config">The model's configuration, for its context and its end tokens.</param>
    /// <param name="options">How tokens are drawn.</param>
    /// <param name="maxNewTokens">Limit; also limited by the session's reserve and by the model's context.</param>
    /// <param name="endTokens">Tokens that end the answer, beside those of the configuration.</param>
    /// <param name="cancellation">Looked at before every token.</param>
    /// <exception cref="InputException">An option is out of its range.</exception>
    public static IEnumerable<int> Sample(
        this Session session,
        DecoderConfig config,
        SamplingOptions options,
        int maxNewTokens,
        IEnumerable<int>? endTokens = null,
        CancellationToken cancellation = default
    )
    {
        HashSet<int> ends = [.. config.EndTokens, .. endTokens ?? []];
        return session.Draw(Next, ends, maxNewTokens, cancellation);

        Tensor Next(Tensor logits, int step) =>
            tensor(
                new long[,]
                {
                    { Sampling.Next(logits, options, step, session.Tokens) },
                },
                device: logits.device
            );
    }

    /// <summary>
    /// The text of tokens as they come, without control tokens, in pieces that never end within a character. It ends before the first stop
    /// string; no token is asked for after that.
    /// </summary>
    /// <param name="tokens">The tokens, drawn only when the text before them has been taken.</param>
    /// <param name="tokenizer">Their tokenizer.</param>
    /// <param name="stops">Stop strings, none of them empty; whole control tokens may stand in them.</param>
    public static IEnumerable<string> Text(this IEnumerable<int> tokens, Tokenizer tokenizer, IEnumerable<string>? stops = null)
    {
        var until = new StopStrings(stops ?? []);
        return Pieces().Where(piece => piece.Length > 0);

        IEnumerable<string> Pieces()
        {
            var decoder = new StreamingDecoder(tokenizer, skipSpecial: true);
            foreach (var token in tokens)
            {
                yield return tokenizer.ControlToken(token) is { } control ? until.AddControl(control) : until.Add(decoder.Add(token));
                if (until.Stopped)
                    yield break;
            }

            yield return until.Add(decoder.Finish());
            yield return until.Finish();
        }
    }

    /// <summary>The same, without holding up the caller: each piece is computed on the thread pool.</summary>
    /// <param name="tokens">The tokens; the session behind them must not be used until the stream has ended.</param>
    /// <param name="tokenizer">Their tokenizer.</param>
    /// <param name="stops">Stop strings, none of them empty.</param>
    /// <param name="cancellation">Looked at before every piece; whoever makes the tokens should look at it too.</param>
    public static IAsyncEnumerable<string> TextAsync(
        this IEnumerable<int> tokens,
        Tokenizer tokenizer,
        IEnumerable<string>? stops = null,
        CancellationToken cancellation = default
    )
    {
        return OnThePool(tokens.Text(tokenizer, stops), cancellation);

        static async IAsyncEnumerable<string> OnThePool(IEnumerable<string> pieces, [EnumeratorCancellation] CancellationToken cancellation)
        {
            using var enumerator = pieces.GetEnumerator();
            while (await Task.Run(enumerator.MoveNext, cancellation).ConfigureAwait(false))
                yield return enumerator.Current;
        }
    }
}
