namespace LookaheadKV.Text;

/// <summary>A token that is found in the text as a whole, before any splitting: a marker such as an end-of-text token.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Content">Its text, exactly as it stands in a prompt.</param>
/// <param name="Special">Whether it is a control token, which decoding may leave out.</param>
/// <param name="Normalized">Whether it is looked for after the text was normalized (true) or in the text as given (false).</param>
/// <param name="SingleWord">Whether it counts only where no letter, digit or underscore touches it.</param>
/// <param name="LeftStrip">Whether it swallows the white space before it.</param>
/// <param name="RightStrip">Whether it swallows the white space behind it.</param>
public sealed record AddedToken(
    int Id,
    string Content,
    bool Special,
    bool Normalized = false,
    bool SingleWord = false,
    bool LeftStrip = false,
    bool RightStrip = false
);
